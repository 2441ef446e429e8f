"""The data sets of PyTorch Geometric; downloaded only when asked for."""

from __future__ import annotations

import inspect
import warnings
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas.data.edges import degree_features, features_of_edges
from nas.data.nodes import Nodes, NodeSettings, given_nodes, undirected
from nas.data.source import DataSettings, Request, data_source
from nas.errors import NasError, unknown
from nas.settings import require_ranges, setting
from nas.task import Examples, Given, Indices, Splits, TaskInfo, check_labels

if TYPE_CHECKING:
    from nas.task import Task

__all__ = ["PyGSettings", "load_pyg"]

_MASKS = {"train": "train_mask", "valid": "val_mask", "test": "test_mask"}


@dataclass(frozen=True)
class PyGSettings(NodeSettings):
    """Settings of `pyg`."""

    mask: int = setting(0, "which standard split of a graph that has several, from 0")

    def __post_init__(self) -> None:
        super().__post_init__()
        require_ranges(self, "data", {"mask": (self.mask >= 0, "at least 0")})


@data_source(
    "pyg",
    "pyg:CLASS or pyg:CLASS/NAME, a data set of PyTorch Geometric, such as pyg:TUDataset/MUTAG",
    argument="CLASS",
    settings=PyGSettings,
)
def pyg(request: Request) -> Task:
    """Load one graph whose nodes, or several graphs that, are classified.

    Nodes have the standard split where the data has masks for it. Graphs, and nodes without masks,
    are divided at random. Edges are made undirected, without self-loops. Where nodes have no
    features, the number of their neighbours is one.
    """
    kind, _, name = request.argument.partition("/")
    return load_pyg(request, kind, name)


def load_pyg(request: Request, kind: str, name: str) -> Task:
    """Load a data set of PyTorch Geometric from (or into) `<root>/<kind in small letters>`.

    Args:
        request: Of settings `PyGSettings`.
        kind: The class in `torch_geometric.datasets`.
        name: Of the data set, where the class has several; else empty.

    Raises:
        NasError: Where it is not there, or is no classification of nodes or graphs.
    """
    found = _open(request, kind, name)
    settings = request.settings
    assert isinstance(settings, PyGSettings)
    graphs = [found[i] for i in range(len(found))]
    if any(getattr(graph, "edge_index", None) is None for graph in graphs) or not graphs:
        raise NasError(f"data '{request.spec}': not a data set of graphs with one kind of edges")
    if len(graphs) == 1:
        return request.given_task(_nodes(graphs[0], settings, request.spec))
    defaults = {f.name: f.default for f in fields(PyGSettings)}
    for key in defaults.keys() - {f.name for f in fields(DataSettings)}:
        if getattr(settings, key) != defaults[key]:
            raise NasError(f"data.{key} is for the nodes of one graph; this has {len(graphs)}")
    return request.given_task(_graphs(graphs, request.spec))


# -- opening ----------------------------------------------------------------------------------


def _open(request: Request, kind: str, name: str) -> Any:
    try:
        from torch_geometric import datasets
    except ImportError as error:
        raise NasError(
            f"data '{request.spec}' needs PyTorch Geometric: pip install 'nas-toolkit[graph]'"
        ) from error
    known = [key for key, value in vars(datasets).items() if isinstance(value, type)]
    if kind not in known:
        raise unknown("class of torch_geometric.datasets", kind, known)
    root = request.folder / kind.lower()
    missing = (
        f"data '{request.spec}' is missing: pass --download, put its files into {root} as PyTorch "
        "Geometric does, or name another root"
    )
    made: type = getattr(datasets, kind)
    arguments = _arguments(made, root, name, request.spec)
    if "root" in arguments and not request.download:  # others have nothing to download
        if not root.is_dir():
            raise NasError(missing)
        made = _offline(made, missing)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return made(**arguments)
    except NasError:
        raise
    except Exception as error:  # whatever the network, the disk or a broken file comes up with
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise NasError(f"data '{request.spec}' is missing or broken: {reason}") from error


def _arguments(made: type, root: Path, name: str, spec: str) -> dict[str, str]:
    """Return what the class is called with."""
    parameters = inspect.signature(made).parameters
    if name and "name" not in parameters:
        raise NasError(f"data '{spec}': {made.__name__} is one data set; expected no name")
    if not name and "name" in parameters and parameters["name"].default is inspect.Parameter.empty:
        raise NasError(f"data '{spec}': expected pyg:{made.__name__}/NAME")
    given = {"root": str(root), "name": name}
    arguments = {key: value for key, value in given.items() if value and key in parameters}
    for key, parameter in parameters.items():
        needed = parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        )
        if needed and key not in arguments:
            raise NasError(f"data '{spec}': {made.__name__} needs '{key}', which cannot be given")
    return arguments


def _offline(made: type, missing: str) -> type:
    """Return a class of data sets without its download, which it would start unasked."""

    def download(self: Any) -> None:
        raise NasError(missing)

    return type(made.__name__, (made,), {"download": download})


# -- one graph --------------------------------------------------------------------------------


def _nodes(graph: Any, settings: PyGSettings, spec: str) -> Given:
    count = _count(graph)
    given = graph.edge_index.numpy()
    edges = undirected(given, count, spec)
    features = _array(graph, "x")
    return given_nodes(
        Nodes(
            degree_features(edges, count) if features is None else features,
            edges,
            _labels(graph.y, spec, "nodes"),
            splits=_splits(graph, settings.mask, spec),
            edge_features=_edge_features(edges, given, _array(graph, "edge_attr"), spec),
        ),
        settings,
        spec,
    )


def _splits(graph: Any, number: int, spec: str) -> dict[str, Indices] | None:
    """Return the standard split; None where the data has none."""
    masks = {split: _array(graph, name) for split, name in _MASKS.items()}
    found = {}
    for split, mask in masks.items():
        if mask is None:
            return None
        if mask.ndim > 1:
            if number >= mask.shape[1]:
                raise NasError(f"data '{spec}': data.mask={number}; it has {mask.shape[1]} splits")
            mask = mask[:, number]
        found[split] = np.flatnonzero(mask)
    if number and all(mask is not None and mask.ndim == 1 for mask in masks.values()):
        raise NasError(f"data '{spec}': data.mask={number}; it has one split")
    return found


# -- several graphs ---------------------------------------------------------------------------


def _graphs(graphs: list[Any], spec: str) -> Given:
    counts = [_count(graph) for graph in graphs]
    labels = np.concatenate([_labels(graph.y, spec, "graphs", 1) for graph in graphs])
    if min(counts) < 1:
        raise NasError(f"data '{spec}': a graph has no nodes")
    starts = np.cumsum([0, *counts[:-1]])
    pairs = zip(graphs, starts, strict=True)
    given = np.concatenate([graph.edge_index.numpy() + start for graph, start in pairs], axis=1)
    edges = undirected(given, sum(counts), spec)
    features = _joined(graphs, "x")
    if features is None:
        features = degree_features(edges, sum(counts))
    elif features.ndim == 1:
        features = features[:, None]
    ways = _edge_features(edges, given, _joined(graphs, "edge_attr"), spec)

    def examples(drawn: Splits) -> Examples:
        import torch

        from nas.task import Graph, GraphExamples

        graph = Graph(
            torch.from_numpy(features.astype(np.float32)),
            torch.from_numpy(edges),
            None if ways is None else torch.from_numpy(ways),
            batch=torch.arange(len(counts)).repeat_interleave(torch.tensor(counts)),
        )
        return GraphExamples(graph, torch.from_numpy(drawn.order()))

    known = check_labels(labels, None, (len(graphs), None), None, spec)
    info = TaskInfo(
        (features.shape[1],),
        len(known.classes),
        "graphs",
        edge_features=0 if ways is None else ways.shape[1],
    )
    facts = {"graphs": {"count": len(graphs), "nodes": sum(counts), "edges": edges.shape[1]}}
    return Given(known, examples, info=info, statistics=None, facts=facts)


def _joined(graphs: list[Any], name: str) -> NDArray[Any] | None:
    arrays = [_array(graph, name) for graph in graphs]
    present = [array for array in arrays if array is not None]
    return np.concatenate(present) if len(present) == len(arrays) else None


# -- parts ------------------------------------------------------------------------------------


def _array(graph: Any, name: str) -> NDArray[Any] | None:
    """Return a tensor of a graph as an array; None where it has none of this name."""
    value = graph[name] if name in graph else getattr(graph, name, None)
    if value is None:
        return None
    array: NDArray[Any] = (value.to_dense() if hasattr(value, "to_dense") else value).numpy()
    return array


def _count(graph: Any) -> int:
    features = _array(graph, "x")
    return int(graph.num_nodes) if features is None else len(features)


def _edge_features(
    edges: Indices, given: NDArray[Any], features: NDArray[Any] | None, spec: str
) -> NDArray[np.float32] | None:
    if features is None or not features.size:
        return None
    return features_of_edges(edges, given, features, spec)


def _labels(y: Any, spec: str, of: str, count: int | None = None) -> Indices:
    """Return labels as int64; raises `NasError` where they are not classes."""
    labels = None if y is None else y.numpy()
    if labels is not None and labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    single = labels is not None and labels.ndim == 1 and labels.dtype.kind in "ui"
    if labels is None or not single or len(labels) != (count or len(labels)):
        what = "none" if labels is None else f"{labels.dtype} {labels.shape}"
        raise NasError(f"data '{spec}': labels: {what}; expected a class for each of its {of}")
    found: Indices = labels.astype(np.int64)
    return found
