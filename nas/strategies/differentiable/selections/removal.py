"""What can be taken out of a supernet to see how much it is missed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from nas.mutables import Gate, Node

__all__ = ["Edges", "Options", "Removable", "Weights", "removables"]

Weights = dict[str, Tensor]
"""Of every gate of a supernet, [options]."""

Strengths = NDArray[np.float64]
"""Of the options of a gate, [options]."""

_NEXT_TO_NOTHING = 1e-20


class Removable(ABC):
    """Candidates of which a number stays, and what the supernet runs without some of them.

    Args:
        candidates: How many there are.
        keep: How many stay.
    """

    def __init__(self, candidates: int, keep: int) -> None:
        self.candidates = range(candidates)
        self.keep = keep

    @property
    def one_by_one(self) -> bool:
        """Whether those that stay are left over when others go, measured anew after each."""
        return True

    @property
    def passes(self) -> int:
        """How many measurements a decision takes."""
        n = len(self.candidates)
        return sum(range(self.keep + 1, n + 1)) if self.one_by_one else n

    @abstractmethod
    def without(self, weights: Weights, removed: Sequence[int]) -> Weights:
        """Return the weights of the gates without some candidates."""

    @abstractmethod
    def decided(self, weights: Weights, kept: Sequence[int]) -> Weights:
        """Return what the gates in question run from now on: the kept, each with weight 1."""

    @abstractmethod
    def rank(self, scores: dict[str, Strengths], order: Sequence[int]) -> None:
        """Write into scores what was missed most: 1 for what stays, then 1/2, 1/3 and so on.

        Args:
            scores: Of every gate, [options] each, which `SearchSpace.derive` will read.
            order: All candidates, those that stay before the others.
        """

    def _ranked(self, order: Sequence[int]) -> dict[int, float]:
        return {c: 1.0 / max(1, place - self.keep + 2) for place, c in enumerate(order)}


class Options(Removable):
    """The options of one gate.

    The weight of a removed option is set to zero; the others keep theirs, and are not made to add
    up to one again.

    Args:
        gate: Whose options.
    """

    def __init__(self, gate: Gate) -> None:
        # Whether an edge that competes with others is absent is decided among the edges.
        excluded = gate.absent if gate.node else None
        self.gate = gate
        self.names = [i for i in range(len(gate.options)) if i != excluded]
        super().__init__(len(self.names), gate.choose)

    @property
    def one_by_one(self) -> bool:
        return self.keep > 1

    def without(self, weights: Weights, removed: Sequence[int]) -> Weights:
        row = weights[self.gate.name].clone()
        options = [self.names[i] for i in removed]
        row[options] = 0.0
        if not row.any():  # a supernet has to run something
            row[options[-1]] = _NEXT_TO_NOTHING
            if self.gate.absent is not None:
                row = _only([self.gate.absent], row)
        return {**weights, self.gate.name: row}

    def decided(self, weights: Weights, kept: Sequence[int]) -> Weights:
        row = weights[self.gate.name]
        return {self.gate.name: _only([self.names[i] for i in kept], row)}

    def rank(self, scores: dict[str, Strengths], order: Sequence[int]) -> None:
        row = np.zeros_like(scores[self.gate.name])
        for candidate, score in self._ranked(order).items():
            row[self.names[candidate]] = score
        scores[self.gate.name] = row


class Edges(Removable):
    """The edges into a node that has no gate over its inputs.

    Args:
        node: How many stay.
        gates: Of the edges.
    """

    def __init__(self, node: Node, gates: Sequence[Gate]) -> None:
        super().__init__(len(gates), node.keep)
        self.gates = list(gates)

    def without(self, weights: Weights, removed: Sequence[int]) -> Weights:
        return {**weights, **self._absent(weights, removed)}

    def decided(self, weights: Weights, kept: Sequence[int]) -> Weights:
        return self._absent(weights, [i for i in self.candidates if i not in kept])

    def rank(self, scores: dict[str, Strengths], order: Sequence[int]) -> None:
        for candidate, score in self._ranked(order).items():
            name = self.gates[candidate].name
            scores[name] = scores[name] * score

    def _absent(self, weights: Weights, removed: Sequence[int]) -> Weights:
        rows = {}
        for gate in (self.gates[i] for i in removed):
            assert gate.absent is not None
            rows[gate.name] = _only([gate.absent], weights[gate.name])
        return rows


def removables(gates: Mapping[str, Gate]) -> tuple[list[Removable], list[Removable]]:
    """Return what leaves something to decide: operations, and inputs of nodes."""
    nodes: dict[Node, list[Gate]] = {}
    for gate in gates.values():
        if gate.node:
            nodes.setdefault(gate.node, []).append(gate)
    names = {node.name for node in nodes}
    operations = [Options(gate) for name, gate in gates.items() if name not in names]
    inputs = [
        Options(gates[node.name]) if node.name in gates else Edges(node, edges)
        for node, edges in nodes.items()
    ]
    return _open(operations), _open(inputs)


def _open(found: Sequence[Removable]) -> list[Removable]:
    return [each for each in found if len(each.candidates) > each.keep]


def _only(options: Sequence[int], like: Tensor) -> Tensor:
    row = torch.zeros_like(like)
    row[list(options)] = 1.0
    return row
