"""The search space of NAS-Bench-101: any directed graph of at most 7 vertices and 9 edges.

Source: Ying et al., NAS-Bench-101, ICML 2019, arXiv:1902.09635.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from nas import registry
from nas.errors import NasError, unknown
from nas.search_spaces.cells.space import image_shape
from nas.search_spaces.cells.vertex_graphs import (
    EDGES,
    INNER,
    VERTICES,
    isomorphism_keys,
    key_row,
    prune,
)
from nas.search_spaces.cells.without_supernet import WithoutSupernet
from nas.settings import fill, require_ranges, setting
from nas.space import Architecture, Choices, Decision

if TYPE_CHECKING:
    from torch import nn

    from nas.task import TaskInfo

__all__ = ["NASBench101", "Spec"]

OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
MOST_EDGES = 9

Spec = tuple[list[list[int]], list[str]]
"""Adjacency matrix and operations, `input` first and `output` last, as `ModelSpec` takes them."""

INCEPTION: Spec = (
    [
        [0, 1, 1, 1, 0, 1, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 0],
    ],
    [
        "input", "conv1x1-bn-relu", "conv3x3-bn-relu", "conv3x3-bn-relu", "conv3x3-bn-relu",
        "maxpool3x3", "output",
    ],
)  # fmt: skip
"""The example of the published code: Inception's cell with two 3x3 convolutions for its 5x5."""


@dataclass
class NetworkSettings:
    """Settings of `VertexNetwork`."""

    channels: int = setting(128, "channels of the stem and the first stack")
    stacks: int = setting(3, "stacks, each with twice the channels and half the resolution")
    cells: int = setting(3, "cells a stack")
    momentum: float = setting(0.003, "share of a batch in batch norm's running statistics")

    def __post_init__(self) -> None:
        ranges = {name: (getattr(self, name) > 0, "at least 1") for name in ("stacks", "cells")}
        ranges["channels"] = (self.channels >= len(INNER), f"at least {len(INNER)}, one a vertex")
        ranges["momentum"] = (0 < self.momentum <= 1, "a number above 0, at most 1")
        require_ranges(self, "network", ranges)


@registry.register(
    "search_spaces",
    "nas-bench-101",
    "cells that are graphs of up to 7 vertices and 9 edges with 3 operations",
    "Ying et al., NAS-Bench-101, ICML 2019, arXiv:1902.09635",
)
class NASBench101(WithoutSupernet):
    """Which of 21 edges there are, and which of three operations each of five vertices runs.

    What is not on a way from the input (vertex 0) to the output (vertex 6) is pruned. A way must be
    left, of at most 9 edges. `canonical` prunes, too, and is exact: two cells have one canonical
    form where they are isomorphic. It is the matrix that the published table holds, with unused
    vertices last before the output; the network is that of the canonical form, for how the
    channels of the output are shared hangs on the order of the vertices.
    """

    name = "nas-bench-101"
    description = "graph of up to 7 vertices and 9 edges, 3 operations"
    reason = "the width of a vertex differs between its architectures"
    decisions = (
        *(Decision(f"{target}<-{source}", (0, 1)) for source, target in EDGES),
        *(Decision(f"op{vertex}", OPERATIONS) for vertex in INNER),
    )

    @property
    def size(self) -> int:
        """The number of cells that are not isomorphic, by the paper (sec. 2.2)."""
        return 423_624

    # -- which cells --------------------------------------------------------------------------

    def constraint(self, architecture: Architecture) -> str | None:
        pruned = prune(self.to_array([architecture])[:, : len(EDGES)])
        if not pruned.connected[0]:
            return "no way leads from the input to the output"
        edges = int(pruned.edges[0])
        most = f"ways from the input to the output have {edges} edges; allowed are {MOST_EDGES}"
        return most if edges > MOST_EDGES else None

    def feasible(self, choices: Choices) -> NDArray[np.bool_]:
        pruned = prune(choices[:, : len(EDGES)])
        return pruned.connected & (pruned.edges <= MOST_EDGES)

    def keys(self, choices: Choices) -> NDArray[np.uint64]:
        return isomorphism_keys(prune(choices[:, : len(EDGES)]), choices[:, len(EDGES) :])

    def canonical(self, architecture: Architecture) -> Architecture:
        [key] = self.keys(self.to_array([architecture])).tolist()
        return Architecture(self.name, key_row(key))

    # -- matrices -----------------------------------------------------------------------------

    def to_spec(self, architecture: Architecture, pruned: bool = True) -> Spec:
        """Return the adjacency matrix and the operations of a cell.

        Args:
            architecture: A valid architecture.
            pruned: Whether to leave out what is not on a way from input to output.
        """
        edges = self.to_array([architecture])[:, : len(EDGES)]
        matrix = np.zeros((VERTICES, VERTICES), dtype=np.int64)
        matrix[tuple(np.transpose(EDGES))] = edges[0]
        chosen = (OPERATIONS[choice] for choice in architecture.choices[len(EDGES) :])
        ops = ["input", *chosen, "output"]
        kept = int(prune(edges).kept[0]) if pruned else (1 << VERTICES) - 1
        vertices = [vertex for vertex in range(VERTICES) if kept >> vertex & 1]
        return matrix[np.ix_(vertices, vertices)].tolist(), [ops[vertex] for vertex in vertices]

    def from_spec(self, matrix: Sequence[Sequence[int]], ops: Sequence[str]) -> Architecture:
        """Return the architecture of an adjacency matrix and operations; pruned ones serve.

        Args:
            matrix: Upper triangular, of 0 and 1, [V, V] for V from 2 to 7.
            ops: `input`, an operation for every inner vertex, `output`.

        Raises:
            NasError: If this is no cell of the space.
        """
        last = _check_spec(matrix, ops)
        place = {vertex: vertex for vertex in range(last)} | {last: VERTICES - 1}
        there = {(place[s], place[t]) for s in range(last) for t in place if matrix[s][t]}
        labels = [OPERATIONS.index(op) for op in ops[1:-1]]
        labels += [0] * (len(INNER) - len(labels))
        edges = (int(edge in there) for edge in EDGES)
        return self.require(Architecture(self.name, (*edges, *labels)))

    def format(self, architecture: Architecture) -> str:
        """Write `{"matrix": [[0, 1, ...], ...], "ops": ["input", ...]}`, nothing pruned."""
        matrix, ops = self.to_spec(architecture, pruned=False)
        return json.dumps({"matrix": matrix, "ops": ops})

    def parse(self, text: str) -> Architecture:
        try:
            data = json.loads(text)
            matrix, ops = data["matrix"], data["ops"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise NasError(
                f"not an architecture of '{self.name}': {text[:80]!r}; expected "
                '{"matrix": [[0, 1, ...], ...], "ops": ["input", ..., "output"]}'
            ) from error
        return self.from_spec(matrix, ops)

    def graph(self, architecture: Architecture) -> nx.DiGraph[str]:
        """Return the pruned cell."""
        matrix, ops = self.to_spec(architecture)
        last = len(ops) - 1
        names = ["input", *(str(vertex) for vertex in range(1, last)), "output"]
        graph: nx.DiGraph[str] = nx.DiGraph()
        for name, op in zip(names, ops, strict=True):
            graph.add_node(name, op=op, kind=op if op in ("input", "output") else "op")
        pairs = ((s, t) for s in range(last) for t in range(s + 1, last + 1) if matrix[s][t])
        graph.add_edges_from((names[s], names[t]) for s, t in pairs)
        return graph

    # -- networks -----------------------------------------------------------------------------

    def build(self, architecture: Architecture, task: TaskInfo, **settings: Any) -> nn.Module:
        from nas.search_spaces.cells.vertex_network import VertexNetwork

        chosen = fill(NetworkSettings, settings, "network")
        matrix, ops = self.to_spec(self.canonical(self.require(architecture)))
        config = {
            "matrix": matrix,
            "ops": ops,
            "input_channels": image_shape(task, self.name)[0],
            "classes": task.outputs,
            **vars(chosen),
        }
        network = VertexNetwork(**config)
        network.config = config
        return network

    def network_defaults(self, scale: str) -> dict[str, Any]:
        if scale == "paper":
            return {"channels": 128, "stacks": 3, "cells": 3}
        return {"channels": 16, "stacks": 2, "cells": 1, "momentum": 0.1}

    def catalogue(self) -> dict[str, Architecture]:
        return {"Inception-like": self.from_spec(*INCEPTION)}


def _check_spec(matrix: Any, ops: Any) -> int:
    """Return the number of the output vertex of a matrix, once it is known to be one."""
    count = len(ops) if isinstance(ops, (list, tuple)) else 0
    if not 2 <= count <= VERTICES:
        raise NasError(f"cell: ops must be a list of 2 to {VERTICES} names; got {ops!s:.80}")
    if not _is_square(matrix, count):
        raise NasError(f"cell: matrix must be {count} rows of {count} numbers, one a vertex")
    for s in range(count):
        for t in range(count):
            if matrix[s][t] not in (0, 1) or (matrix[s][t] and s >= t):
                raise NasError(
                    f"cell: matrix[{s}][{t}] is {matrix[s][t]!s:.20}; allowed are 0 and 1, and 0 "
                    "below the diagonal and on it"
                )
    if ops[0] != "input" or ops[-1] != "output":
        raise NasError(f"cell: ops must start with input and end with output; got {ops!s:.80}")
    for vertex, op in enumerate(ops[1:-1], start=1):
        if op not in OPERATIONS:
            raise unknown(f"operation of vertex {vertex}", str(op), OPERATIONS)
    return count - 1


def _is_square(matrix: Any, count: int) -> bool:
    rows = matrix.tolist() if isinstance(matrix, np.ndarray) else matrix
    kinds = (list, tuple)
    return (
        isinstance(rows, kinds)
        and len(rows) == count
        and all(isinstance(row, kinds) and len(row) == count for row in rows)
    )
