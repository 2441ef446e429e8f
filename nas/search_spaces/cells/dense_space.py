"""What the spaces of one cell of four fully connected states have in common.

Sources: NAS-Bench-201 (Dong & Yang, ICLR 2020, arXiv:2001.00326), TransNAS-Bench-101 (Duan et al.,
CVPR 2021, arXiv:2105.11871).
"""

from __future__ import annotations

import networkx as nx

from nas.space import Architecture, Decision, Path, Scores, SearchSpace

__all__ = ["EDGES", "DenseCellSpace"]

EDGES = tuple((target, source) for target in range(1, 4) for source in range(target))
"""Target and source state of every edge, in the order of the decisions."""


class DenseCellSpace(SearchSpace):
    """One operation on every one of six edges; a state is the sum of what enters it.

    A subclass sets `candidates`, reads and writes its notation, says which cells are equal, and
    builds networks.
    """

    candidates: tuple[str, ...]
    """The operations of an edge."""
    identity_ops = frozenset({"skip_connect"})

    def __init__(self) -> None:
        self.decisions = tuple(
            Decision(f"cell/{target}<-{source}", self.candidates) for target, source in EDGES
        )

    def operations(self, architecture: Architecture) -> list[str]:
        """Return the operation of every edge, in the order of `EDGES`."""
        return [self.candidates[choice] for choice in architecture.choices]

    def graph(self, architecture: Architecture) -> nx.DiGraph[str]:
        graph: nx.DiGraph[str] = nx.DiGraph()
        for state in range(4):
            kind = ("input", "node", "node", "output")[state]
            graph.add_node(str(state), op=kind if kind != "node" else "add", kind=kind, cell="cell")
        for (target, source), name in zip(EDGES, self.operations(architecture), strict=True):
            edge = f"{target}<-{source}"
            graph.add_node(edge, op=name, kind="op", cell="cell")
            graph.add_edge(str(source), edge)
            graph.add_edge(edge, str(target))
        return graph

    def path(self, architecture: Architecture) -> Path:
        path: Path = {f"cell/{target}": tuple(range(target)) for target in range(1, 4)}
        path |= {d.name: c for d, c in zip(self.decisions, architecture.choices, strict=True)}
        return path

    def derive(self, scores: Scores) -> Architecture:
        """Take the strongest operation of every edge, `none` among them (NAS-Bench-201, sec. 3)."""
        choices = (int(scores[decision.name].argmax()) for decision in self.decisions)
        return Architecture(self.name, tuple(choices))
