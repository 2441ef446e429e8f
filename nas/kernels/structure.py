"""What of an architecture's graph is computed: operations, joined to what they feed.

Source: the graphs that Ru et al., NAS-BOWL, ICLR 2021, arXiv:2006.07556, appendix, give their
kernel.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import networkx as nx

from nas.errors import NasError

__all__ = ["ABSENT", "Label", "Structure", "structure_of"]

Label = tuple[str, str]
"""A node's cell ("" where a space has but one) and operation."""

ABSENT = frozenset({"none", "zero", "zeroize"})
"""Operations whose output is zero."""
_SUMS = frozenset({"add", "sum"})


@dataclass(frozen=True)
class Structure:
    """A labelled directed graph in plain lists.

    Args:
        labels: One a node.
        successors: The places of the nodes that each node feeds.
    """

    labels: list[Label]
    successors: list[list[int]]


def structure_of(
    graph: nx.DiGraph[Any], identities: Collection[str] = (), zeros: bool = False
) -> Structure:
    """Reduce a graph that `SearchSpace.graph` made to what is computed.

    States that only add and operations that only pass their input on are left out: what enters
    them feeds what leaves them. So are operations whose output is zero, and what no input
    reaches or no output uses.

    Args:
        graph: Acyclic; nodes have `op` and, where they apply, `kind` and `cell`.
        identities: Operations that only pass their input on.
        zeros: Whether what is computed keeps the operations with output zero that it feeds; they
            feed nothing.

    Raises:
        NasError: The graph has a cycle.
    """
    place = {node: i for i, node in enumerate(graph)}
    data = [values for _, values in graph.nodes.data()]
    succ = [[place[node] for node in after] for _, after in graph.adjacency()]
    roles = [_role(values, identities) for values in data]
    feeding = _feeding(succ, roles)
    kept = [i for i, role in enumerate(roles) if role == _KEPT]
    kept = _useful(kept, feeding, [values.get("kind") for values in data])
    if zeros:
        dropped = (i for i, role in enumerate(roles) if role == _DROPPED)
        kept += [i for i in dropped if not feeding[i].keys().isdisjoint(kept)]
    at = {old: new for new, old in enumerate(kept)}
    successors: list[list[int]] = [[] for _ in kept]
    for new, old in enumerate(kept):
        for source in feeding[old]:
            if source in at:
                successors[at[source]].append(new)
    names = list(graph)
    cells = len({values.get("cell") for values in data}) > 1
    labels = [_label(names[i], data[i], cells) for i in kept]
    return Structure(labels, successors)


_KEPT, _PASSED, _DROPPED = range(3)


def _role(data: dict[str, Any], identities: Collection[str]) -> int:
    op, kind = data.get("op"), data.get("kind", "op")
    if kind == "node":
        return _PASSED if op in _SUMS else _KEPT
    if kind == "op" and op in identities:
        return _PASSED
    return _DROPPED if kind == "op" and op in ABSENT else _KEPT


def _label(node: Any, data: dict[str, Any], cells: bool) -> Label:
    return str(data.get("cell") or "") if cells else "", str(data.get("op") or node)


def _feeding(succ: list[list[int]], roles: list[int]) -> list[dict[int, None]]:
    """Return for every node the kept nodes that feed it, each once, through what is passed."""
    waiting = [0] * len(succ)
    for after in succ:
        for node in after:
            waiting[node] += 1
    ready = [node for node, n in enumerate(waiting) if not n]
    feeding: list[dict[int, None]] = [{} for _ in succ]
    for node in ready:  # grows while it is read
        role = roles[node]
        for target in succ[node]:
            if role == _KEPT:
                feeding[target][node] = None
            elif role == _PASSED:
                feeding[target].update(feeding[node])
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    if len(ready) < len(succ):
        raise NasError("an architecture's graph has a cycle")
    return feeding


def _useful(kept: list[int], feeding: list[dict[int, None]], kinds: list[Any]) -> list[int]:
    """Keep inputs, outputs, and what lies between them: what is fed and feeds something."""
    if "input" not in kinds or "output" not in kinds:
        return kept
    ends = ("input", "output")
    while True:  # acyclic: in the end every node has a way from an input and to an output
        there = set(kept)
        feeds = {source for node in kept for source in feeding[node]}
        left = [
            node
            for node in kept
            if kinds[node] in ends or (node in feeds and not there.isdisjoint(feeding[node]))
        ]
        if len(left) == len(kept):
            return kept
        kept = left
