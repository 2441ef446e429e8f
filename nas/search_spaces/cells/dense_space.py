"""What the spaces of one cell of four fully connected states have in common.

Sources: NAS-Bench-201 (Dong & Yang, ICLR 2020, arXiv:2001.00326), TransNAS-Bench-101 (Duan et al.,
CVPR 2021, arXiv:2105.11871).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from itertools import product

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from nas.space import Architecture, Choices, Decision, Path, Scores, SearchSpace

__all__ = ["EDGES", "DenseCellSpace"]

EDGES = tuple((target, source) for target in range(1, 4) for source in range(target))
"""Target and source state of every edge, in the order of the decisions."""


class DenseCellSpace(SearchSpace):
    """One operation on every one of six edges; a state is the sum of what enters it.

    A subclass sets `candidates`, reads and writes its notation, and builds networks.
    """

    candidates: tuple[str, ...]
    """The operations of an edge, `none` and `skip_connect` among them."""
    skips_pass_on: tuple[bool, bool, bool] = (True, True, True)
    """Whether `skip_connect` gives its input itself, for an edge that leaves state 0, 1, 2."""
    identity_ops = frozenset({"skip_connect"})

    def __init__(self) -> None:
        self.decisions = tuple(
            Decision(f"cell/{target}<-{source}", self.candidates) for target, source in EDGES
        )

    def operations(self, architecture: Architecture) -> list[str]:
        """Return the operation of every edge, in the order of `EDGES`."""
        return [self.candidates[choice] for choice in architecture.choices]

    # -- equal cells --------------------------------------------------------------------------

    def canonical(self, architecture: Architecture) -> Architecture:
        """Map to the first architecture, in the order of rows, that computes the same.

        Two cells are the same where their outputs, written as expressions, are: `none` of
        anything is zero, as is any operation of zero, a `skip_connect` that passes on is its
        input, and sums have no order. This is the equality of the NAS-Bench-201 paper (sec. 2.1).
        It keeps x and x + 0 apart, so that some of its classes still compute the same.
        """
        code = int(np.dot(architecture.choices, self._weights))
        [row] = self._rows(self._classes[[code]])
        return Architecture(self.name, tuple(row.tolist()))

    def keys(self, choices: Choices) -> NDArray[np.uint64]:
        return self._classes[choices @ self._weights].astype(np.uint64)

    @cached_property
    def _weights(self) -> NDArray[np.int64]:
        return np.array(len(self.candidates) ** np.arange(len(EDGES))[::-1], dtype=np.int64)

    def _rows(self, codes: NDArray[np.int64]) -> Choices:
        return codes[:, None] // self._weights % len(self.candidates)

    @property
    def _classes(self) -> NDArray[np.int64]:
        return _classes(self.candidates, self.skips_pass_on)

    # -- graph and gates ----------------------------------------------------------------------

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


def _expression(operations: Sequence[str], skips_pass_on: Sequence[bool]) -> str:
    """Write what the cell computes, in the paper's notation: `#` is zero, `(x)@op` an operation.

    Terms are sorted as texts, and the count of 6,466 for NAS-Bench-201 depends on these very
    texts: where an identity nests one sum in another, equal sums may come out in another order.
    """
    operation = dict(zip(EDGES, operations, strict=True))

    def terms(target: int) -> Iterator[str]:
        for source in range(target):
            name, state = operation[target, source], states[source]
            if name == "none" or state == "#":
                yield "#"
            elif name == "skip_connect" and skips_pass_on[source]:
                yield state
            else:
                yield f"({state})@{name}"

    states = ["x"]
    for target in range(1, 4):
        states.append("+".join(sorted(terms(target))))
    return states[-1]


@cache
def _classes(candidates: tuple[str, ...], skips_pass_on: tuple[bool, ...]) -> NDArray[np.int64]:
    """Return, for the number of every row, the number of the first row that computes the same."""
    first: dict[str, int] = {}
    rows = enumerate(product(candidates, repeat=len(EDGES)))
    return np.array([first.setdefault(_expression(row, skips_pass_on), i) for i, row in rows])
