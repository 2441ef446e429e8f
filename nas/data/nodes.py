"""One graph whose nodes are to be classified: checked, made undirected, and divided."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.data.source import DataSettings
from nas.errors import NasError, unknown
from nas.settings import require_ranges, setting
from nas.task import Examples, Given, Indices, Labels, Splits, TaskInfo

__all__ = ["NodeSettings", "Nodes", "given_nodes", "undirected"]

FEATURES = ("auto", "rows", "columns", "raw")
SPLITS = ("auto", "random")
_STANDARD = ("train", "valid", "test")


@dataclass(frozen=True)
class NodeSettings(DataSettings):
    """Settings of sources of one graph."""

    split: str = setting(
        "auto",
        "of a graph's nodes: auto, the data's own where it has one; "
        "random: as valid_fraction, limit and seed say",
    )
    features: str = setting(
        "auto",
        "of a graph's nodes: rows, each node's divided by their sum; columns: mean 0 and "
        "deviation 1; raw; auto: rows where none is negative",
    )
    inductive: bool = setting(
        False, "train on the graph of training nodes only: others are seen when they are judged"
    )
    fanout: tuple[int, ...] = setting(
        (), "train on sampled neighbours, so many at each distance, such as 10,10; empty: on all"
    )
    steps: int = setting(10, "training steps an epoch on a whole graph")

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise unknown("data.split", self.split, SPLITS)
        if self.features not in FEATURES:
            raise unknown("data.features", self.features, FEATURES)
        ranges: dict[str, tuple[bool, str]] = {
            "fanout": (all(n >= 1 for n in self.fanout), "numbers of at least 1"),
            "steps": (self.steps >= 1, "at least 1"),
        }
        require_ranges(self, "data", ranges)


@dataclass(frozen=True)
class Nodes:
    """A graph as it was found.

    Args:
        features: Of the nodes, [N, F].
        edges: Int64 [2, E]; see `undirected`.
        labels: Of the nodes, int64 [N]; -1 is none.
        classes: Names of the classes; None counts the labels.
        splits: "train", "valid" and "test" -> nodes; None where the data has no standard split.
        edge_features: [E, G] or None.
    """

    features: NDArray[Any]
    edges: Indices
    labels: Indices
    classes: Sequence[str] | None = None
    splits: Mapping[str, Indices] | None = None
    edge_features: NDArray[np.float32] | None = None


def undirected(edges: NDArray[Any], nodes: int, what: str) -> Indices:
    """Return every edge in both directions, once, without self-loops, sorted.

    Args:
        edges: Integers [E, 2] or [2, E].
        nodes: How many there are.
        what: The edges are of, for messages.

    Raises:
        NasError: For another shape, or nodes that there are not.
    """
    if edges.ndim != 2 or 2 not in edges.shape or edges.dtype.kind not in "ui":
        raise NasError(f"{what}: edges: {edges.dtype} {edges.shape}; expected integers [E, 2]")
    pairs = (edges if edges.shape[1] == 2 else edges.T).astype(np.int64)
    if len(pairs) and not (pairs.min() >= 0 and pairs.max() < nodes):
        raise NasError(
            f"{what}: edges name nodes {pairs.min()} to {pairs.max()}; expected 0 to {nodes - 1}"
        )
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    codes = np.unique(np.concatenate([pairs @ [nodes, 1], pairs @ [1, nodes]]))
    return np.stack(np.divmod(codes, nodes))


def given_nodes(found: Nodes, settings: NodeSettings, name: str) -> Given:
    """Offer the nodes of a graph.

    Args:
        found: The graph.
        settings: How it shall be divided and run.
        name: Of the data, for messages.

    Raises:
        NasError: For arrays that do not fit together, or a limit to a standard split.
    """
    labels, features = found.labels, _scaled(found.features, settings.features, name)
    if labels.shape != (len(features),):
        raise NasError(
            f"{name}: labels of shape {labels.shape}; expected one for each of "
            f"{len(features)} nodes"
        )
    splits = None
    known = np.flatnonzero(labels >= 0)
    if found.splits is not None and settings.split == "auto":
        splits, known = _standard(found.splits, labels, settings, name), np.arange(len(labels))
    count = int(labels.max(initial=-1)) + 1
    classes = tuple(map(str, found.classes or range(count)))
    if not 2 <= count <= len(classes):
        raise NasError(f"{name}: labels up to {count - 1} of {len(classes)} classes")
    edge = found.edge_features

    def examples(drawn: Splits) -> Examples:
        import torch

        from nas.task import Graph, NodeExamples

        graph = Graph(
            torch.from_numpy(features),
            torch.from_numpy(found.edges),
            None if edge is None else torch.from_numpy(edge),
        )
        stages = [drawn.bounds()[split][1] for split in ("train", "valid")]
        return NodeExamples(
            graph,
            torch.from_numpy(known[drawn.order()]),
            settings.steps,
            settings.fanout,
            tuple(stages) if settings.inductive else (),
        )

    return Given(
        Labels(labels[known], None, classes),
        examples,
        info=TaskInfo(
            (features.shape[1],),
            len(classes),
            "nodes",
            edge_features=0 if edge is None else edge.shape[1],
        ),
        statistics=None,
        splits=splits,
        facts={
            "graph": {
                "nodes": len(features),
                "edges": found.edges.shape[1],
                "sha256": _sha256(found.features, found.edges, edge),
                **{key: getattr(settings, key) for key in ("features", "inductive", "steps")},
                "fanout": list(settings.fanout),
            }
        },
    )


def _scaled(features: NDArray[Any], how: str, name: str) -> NDArray[np.float32]:
    if features.ndim != 2 or 0 in features.shape or features.dtype.kind not in "buif":
        raise NasError(
            f"{name}: features: {features.dtype} {features.shape}; expected numbers [nodes, F]"
        )
    values: NDArray[Any] = features.astype(np.float32)
    if not np.isfinite(values).all():
        raise NasError(f"{name}: features: has NaN or infinite values; expected finite numbers")
    if how == "rows" or (how == "auto" and values.min() >= 0):
        sums = values.sum(1, keepdims=True)
        values = values / np.where(sums == 0, 1, sums)
    elif how != "raw":
        deviation = values.std(0)
        values = (values - values.mean(0)) / np.where(deviation == 0, 1, deviation)
    return np.ascontiguousarray(values, np.float32)


def _standard(
    parts: Mapping[str, Indices], labels: Indices, settings: NodeSettings, name: str
) -> Splits:
    if settings.limit is not None:
        raise NasError(
            f"{name}: limit={settings.limit}: it has a standard split; set split=random for another"
        )
    lists = [np.asarray(parts[split]) for split in _STANDARD]
    for split, nodes in zip(_STANDARD, lists, strict=True):
        if nodes.ndim != 1 or not len(nodes) or nodes.dtype.kind not in "ui":
            raise NasError(f"{name}: split {split}: expected a list of node numbers")
        if not (nodes.min() >= 0 and nodes.max() < len(labels)) or (labels[nodes] < 0).any():
            raise NasError(f"{name}: split {split}: names nodes that do not exist or have no label")
    together = np.concatenate(lists)
    if len(np.unique(together)) < len(together):
        raise NasError(f"{name}: a node is twice in its splits; expected disjoint ones")
    return Splits(*(nodes.astype(np.int64) for nodes in lists))


def _sha256(*arrays: NDArray[Any] | None) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        if array is not None:
            digest.update(array.tobytes())
    return digest.hexdigest()
