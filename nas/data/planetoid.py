"""The citation graphs of Planetoid, through PyTorch Geometric; downloaded only when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas.data.pyg import PyGSettings, load_pyg
from nas.data.source import Request, data_source
from nas.errors import unknown

if TYPE_CHECKING:
    from nas.task import Task

NAMES = {"cora": "Cora", "citeseer": "CiteSeer", "pubmed": "PubMed"}


@data_source(
    "planetoid",
    f"planetoid:NAME, a citation graph ({', '.join(NAMES.values())}) (PyTorch Geometric)",
    argument="NAME",
    settings=PyGSettings,
)
def planetoid(request: Request) -> Task:
    """Load a citation graph with its standard split: `pyg:Planetoid/NAME`, in small letters too.

    Source: Yang et al., Revisiting Semi-Supervised Learning with Graph Embeddings, ICML 2016,
    arXiv:1603.08861.
    """
    name = NAMES.get(request.argument.lower())
    if name is None:
        raise unknown("graph of Planetoid", request.argument, NAMES.values())
    return load_pyg(request, "Planetoid", name)
