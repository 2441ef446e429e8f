"""Cells of NAS-Bench-101 as populations of integers: what is pruned, what is isomorphic.

Source: Ying et al., NAS-Bench-101, ICML 2019, arXiv:1902.09635, sec. 2.2 and app. S1. A cell has
vertices 0 (input) to 6 (output), edges from lower to higher ones, and a label on vertices 1 to 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["EDGES", "INNER", "VERTICES", "Pruned", "isomorphism_keys", "key_row", "prune"]

VERTICES = 7
OUTPUT = VERTICES - 1
INNER = range(1, OUTPUT)
EDGES = tuple((s, t) for s in range(VERTICES) for t in range(s + 1, VERTICES))
"""Source and target of every possible edge, in the order of columns."""

Ints = NDArray[np.int64]
Bits = NDArray[np.integer[Any]]
_INNER_EDGES = tuple((s, t) for s, t in EDGES if s in INNER and t in INNER)
_LABEL_BITS = 2  # three labels
_EDGES_AT = _LABEL_BITS * len(INNER)  # a key: unused vertices, edges, labels
_UNUSED_AT = _EDGES_AT + len(EDGES)
_IMPOSSIBLE = 1 << 60
_CHUNK = 1024


@dataclass(frozen=True)
class Pruned:
    """What is on a way from input to output, for n cells.

    Args:
        kept: The vertices, as bits, [n]; without the input where no way leads to the output.
        targets: For every vertex but the output the targets of its edges, as bits, [n] each.
    """

    kept: Bits
    targets: Sequence[Bits]

    @property
    def connected(self) -> NDArray[np.bool_]:
        """Whether a way leads from input to output, [n]."""
        return (self.kept & 1).astype(np.bool_)

    @property
    def edges(self) -> Ints:
        """The number of edges, [n]."""
        counts = np.zeros(self.kept.shape, dtype=np.int64)
        for targets in self.targets:
            counts += _bit_counts()[targets]
        return counts


@cache
def _bit_counts() -> Ints:
    return np.array([number.bit_count() for number in range(1 << VERTICES)], dtype=np.int64)


def prune(edges: Ints) -> Pruned:
    """Leave out vertices that are not on a way from input to output, and their edges.

    Args:
        edges: 0 or 1 for every one of `EDGES`, [n, 21].
    """
    there = np.ascontiguousarray(edges.T, dtype=np.uint8)
    targets = [np.zeros_like(there[0]) for _ in range(OUTPUT)]
    for column, (source, target) in enumerate(EDGES):
        targets[source] |= there[column] << target
    forward = np.ones_like(there[0])
    for vertex in range(OUTPUT):  # every edge leads to a higher vertex: one pass will do
        forward |= targets[vertex] * (forward >> vertex & 1)
    backward = np.full_like(there[0], 1 << OUTPUT)
    for vertex in reversed(range(OUTPUT)):
        backward |= ((targets[vertex] & backward) != 0).astype(np.uint8) << vertex
    kept = forward & backward
    used = [targets[vertex] & kept * (kept >> vertex & 1) for vertex in range(OUTPUT)]
    return Pruned(kept, used)


# -- isomorphism ----------------------------------------------------------------------------------


def isomorphism_keys(pruned: Pruned, labels: Ints) -> NDArray[np.uint64]:
    """Return a number a cell, equal for two cells exactly where they are isomorphic.

    The number is the smallest that any order of the inner vertices gives: those that are used come
    first; then the fewer high edges, in the order in which the paper enumerates graphs, then the
    lower labels. So it stands for the very graph that the published table holds.

    Args:
        pruned: The cells.
        labels: 0, 1 or 2 for each of vertices 1 to 5, [n, 5].

    Returns:
        [n], below 2^36.
    """
    targets = pruned.targets
    inner = _packed([targets[s] >> t & 1 for s, t in _INNER_EDGES])
    first, last = ([targets[0] >> v & 1 for v in INNER], [targets[v] >> OUTPUT & 1 for v in INNER])
    ends = _packed([*first, *last])
    digits = np.zeros(len(labels), dtype=np.int64)
    for v in INNER:
        digits |= (labels[:, v - 1] + 1) * (pruned.kept >> v & 1) << _LABEL_BITS * (v - 1)
    keys = np.empty(len(labels), dtype=np.int64)
    by_edges, by_ends, by_labels = _tables()
    for start in range(0, len(keys), _CHUNK):
        part = slice(start, start + _CHUNK)
        codes = by_edges[inner[part]]
        codes += by_ends[ends[part]]
        codes += by_labels[digits[part]]
        keys[part] = codes.min(axis=1)
    keys += (targets[0] >> OUTPUT & 1).astype(np.int64) << _EDGES_AT + _place(0, OUTPUT)
    return keys.astype(np.uint64)


def _packed(bits: Sequence[Bits]) -> Ints:
    """Return numbers with these bits, the lowest first."""
    packed = np.zeros(bits[0].shape, dtype=np.int64)
    for place, bit in enumerate(bits):
        packed |= bit.astype(np.int64) << place
    return packed


def _place(source: int, target: int) -> int:
    """Return the place of an edge in the paper's number of a graph: column by column."""
    return source + target * (target - 1) // 2


@cache
def _tables() -> tuple[Ints, Ints, Ints]:
    """Return what edges between inner vertices, other edges, and labels add to a key.

    Returns:
        For every order of the inner vertices, [1024, 120] each; an order in which an edge would
        lead backwards is `_IMPOSSIBLE`.
    """
    orders = list(permutations(INNER))  # orders[i][v - 1] is the new place of vertex v
    numbers = np.arange(1 << 10)
    by_edges, by_ends, by_labels = (
        np.zeros((len(orders), len(numbers)), dtype=np.int64) for _ in range(3)
    )
    for row, order in enumerate(orders):
        places = dict(zip(INNER, order, strict=True))
        for bit, (s, t) in enumerate(_INNER_EDGES):
            source, target = places[s], places[t]
            forward = source < target
            value = 1 << _EDGES_AT + _place(source, target) if forward else _IMPOSSIBLE
            by_edges[row, (numbers >> bit & 1).astype(bool)] |= value
        for bit, v in enumerate(INNER):
            at = places[v]
            by_ends[row] += (numbers >> bit & 1) << _EDGES_AT + _place(0, at)
            by_ends[row] += (numbers >> bit + len(INNER) & 1) << _EDGES_AT + _place(at, OUTPUT)
            digit = numbers >> _LABEL_BITS * bit & 3
            unused = 1 << _UNUSED_AT + OUTPUT - 1 - at
            by_labels[row] += np.where(digit, digit - 1 << _label_at(at), unused)
    tables = (by_edges, by_ends, by_labels)
    first, second, third = (np.ascontiguousarray(table.T) for table in tables)
    return first, second, third


def _label_at(vertex: int) -> int:
    return _LABEL_BITS * (OUTPUT - 1 - vertex)


def key_row(key: int) -> tuple[int, ...]:
    """Return the edges and labels that a key stands for, [21 + 5]."""
    edges = (key >> _EDGES_AT + _place(s, t) & 1 for s, t in EDGES)
    labels = (key >> _label_at(v) & 3 for v in INNER)
    return (*edges, *labels)
