"""The network of NAS-Bench-Graph with every link and operation a choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.mutables import OneOf
from nas.search_spaces.graph.readout import read_out
from nas.search_spaces.graph.structure import Structure
from nas.search_spaces.graph.tree import TreeNetwork, TreeOperation
from nas.search_spaces.sliced.choice import Choice
from nas.space import Decision

__all__ = ["TreeSupernetwork"]


class TreeSupernetwork(nn.Module):
    """`TreeNetwork` with choices; the classifier has columns for every node.

    In a mixture a node is read out as far as it is a leaf: by the product, over the later nodes, of
    the weights with which they take another one.

    Args:
        inputs: The decisions of what nodes take, of all but the first.
        operations: The decisions of what they do.
        features, classes, hidden, dropout, pool: As for `TreeNetwork`.
    """

    def __init__(
        self,
        inputs: Sequence[Decision],
        operations: Sequence[Decision],
        features: int,
        classes: int,
        hidden: int,
        dropout: float,
        pool: str,
    ) -> None:
        super().__init__()
        self.settings = {"classes": classes, "hidden": hidden, "dropout": dropout, "pool": pool}
        self.dropout, self.pool = dropout, pool
        self.stem = nn.Linear(features, hidden)
        self.inputs = nn.ModuleList(Choice[int](decision) for decision in inputs)
        self.nodes = nn.ModuleList(_one_of(decision, hidden) for decision in operations)
        self.classifier = nn.Linear(len(operations) * hidden, classes)

    def _inputs(self) -> list[Choice[int]]:
        return [choice for choice in self.inputs if isinstance(choice, Choice)]

    def _nodes(self) -> list[OneOf]:
        return [node for node in self.nodes if isinstance(node, OneOf)]

    def forward(self, graph: Any) -> Tensor:
        """Return logits [n, classes] of the nodes, or the graphs, that are asked for."""
        x = F.dropout(graph.features, self.dropout, self.training)
        edges = Structure(graph.edges, len(x), x.dtype)
        states = [F.relu(self.stem(x))]
        for number, node in enumerate(self._nodes()):
            x = self._inputs()[number - 1].mix(states.__getitem__) if number else states[0]
            states.append(node(x, edges))
        read = self._read(x)
        shown = [number for number, share in enumerate(read) if share is not None]
        rows = torch.cat([states[number + 1] for number in shown], 1)
        rows = F.dropout(read_out(rows, graph, self.pool), self.dropout, self.training)
        parts = zip(rows.chunk(len(shown), 1), shown, strict=True)
        rows = torch.cat([part * _given(read[number]) for part, number in parts], 1)
        return F.linear(rows, self._columns(shown), self.classifier.bias)

    def _columns(self, nodes: Sequence[int]) -> Tensor:
        """Return the classifier's columns for some nodes, counted from 0."""
        parts = self.classifier.weight.chunk(len(self.nodes), 1)
        return torch.cat([parts[number] for number in nodes], 1)

    def _read(self, like: Tensor) -> list[Tensor | None]:
        """Return how far every node is read out; None where not at all."""
        one = torch.ones((), dtype=like.dtype, device=like.device)
        same: list[Tensor | None] = [one]  # how far a state is the input
        for number, node in enumerate(self._nodes()):
            skips = _share(node, list(node.candidates).index("skip"), one)
            taken = [one] if not number else _shares(self._inputs()[number - 1], one)
            same.append(_total(_times(_times(t, s), skips) for t, s in zip(taken, same)))
        read: list[Tensor | None] = []
        for number in range(1, len(same)):
            share = _rest(same[number], one)
            for later in self._inputs()[max(0, number - 1) + 0 :]:
                if number in later.options:
                    share = _times(share, _rest(_share(later, number, one), one))
            read.append(share)
        return read
