"""Sub-structures that Weisfeiler-Lehman labels stand for, as text and as graphs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import networkx as nx

from nas.kernels import ABSENT, Label, Structure

__all__ = ["Motif", "motif_of"]

_ENDS = ("input", "output")


@dataclass(frozen=True)
class Motif:
    """An operation and, to some depth, what it feeds.

    Args:
        label: Cell and operation.
        after: What it feeds; empty also where that is not part of the motif.
        idle: Whether it is part of the motif that it feeds nothing.
    """

    label: Label
    after: tuple[Motif, ...] = ()
    idle: bool = False

    @cached_property
    def operations(self) -> str:
        """`conv -> (pool, 2 x conv -> output)`."""
        if not self.after:
            return f"{self.label[1]} -> nothing" if self.idle else self.label[1]
        counts = Counter(motif.operations for motif in self.after)
        parts = [f"{n} x {text}" if n > 1 else text for text, n in sorted(counts.items())]
        return (
            f"{self.label[1]} -> {parts[0] if len(counts) == 1 else '(' + ', '.join(parts) + ')'}"
        )

    @property
    def text(self) -> str:
        """The operations, with the cell before them where a space has several."""
        return f"{self.label[0]}: {self.operations}" if self.label[0] else self.operations

    def graph(self) -> nx.DiGraph[int]:
        """Return the motif as a graph to be drawn; outputs are one, as they are in a network."""
        graph: nx.DiGraph[int] = nx.DiGraph()
        self._add_to(graph)
        return graph

    def _add_to(self, graph: nx.DiGraph[int]) -> int:
        op = self.label[1]
        kind = op if op in _ENDS else "op"
        if op == "output":
            for node, data in graph.nodes.data():
                if data["op"] == op:
                    return int(node)
        place = len(graph)
        graph.add_node(place, op=op, kind=kind)
        for motif in self.after or [Motif(("", "nothing"))] * self.idle:
            graph.add_edge(place, motif._add_to(graph))
        return place


def motif_of(structure: Structure, node: int, level: int) -> Motif:
    """Return what the label of a node at a level stands for."""
    targets = structure.successors[node] if level else []
    after = [motif_of(structure, target, level - 1) for target in targets]
    order = sorted(after, key=lambda motif: (motif.label, motif.operations))
    op = structure.labels[node][1]
    idle = bool(level) and not after and op != "output" and op not in ABSENT
    return Motif(structure.labels[node], tuple(order), idle)
