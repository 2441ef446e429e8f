"""The citation graphs of Planetoid, through PyTorch Geometric; downloaded only when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nas.data.nodes import Nodes, NodeSettings, given_nodes, undirected
from nas.data.source import Request, data_source
from nas.errors import NasError, unknown

if TYPE_CHECKING:
    from nas.task import Task

NAMES = {"cora": "Cora", "citeseer": "CiteSeer", "pubmed": "PubMed"}
_MASKS = {"train": "train_mask", "valid": "val_mask", "test": "test_mask"}


@data_source(
    "planetoid",
    f"planetoid:NAME, a citation graph ({', '.join(NAMES.values())}) (PyTorch Geometric)",
    argument="NAME",
    settings=NodeSettings,
)
def planetoid(request: Request) -> Task:
    """Load a citation graph with its standard split.

    Source: Yang et al., Revisiting Semi-Supervised Learning with Graph Embeddings, ICML 2016,
    arXiv:1603.08861.
    """
    name = NAMES.get(request.argument.lower())
    if name is None:
        raise unknown("graph of Planetoid", request.argument, NAMES.values())
    data = _open(request, name)
    assert isinstance(request.settings, NodeSettings)
    nodes = Nodes(
        data.x.numpy(),
        undirected(data.edge_index.numpy(), len(data.x), request.spec),
        data.y.numpy().astype(np.int64),
        splits={split: np.flatnonzero(data[mask].numpy()) for split, mask in _MASKS.items()},
    )
    return request.given_task(given_nodes(nodes, request.settings, request.spec))


def _open(request: Request, name: str) -> Any:
    try:
        from torch_geometric.datasets import Planetoid
    except ImportError as error:
        raise NasError(
            f"data '{request.spec}' needs PyTorch Geometric: pip install 'nas-toolkit[graph]'"
        ) from error
    root = request.folder / "planetoid"
    files = root / name / "raw"
    # PyTorch Geometric downloads what is missing without being asked.
    if not request.download and not (files.is_dir() and any(files.iterdir())):
        raise NasError(
            f"data '{request.spec}' is missing: pass --download, put the files "
            f"ind.{name.lower()}.* into {files}, or name another root"
        )
    try:
        return Planetoid(str(root), name)[0]
    except Exception as error:  # whatever the network, the disk or a broken file comes up with
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise NasError(f"data '{request.spec}' is missing or broken: {reason}") from error
