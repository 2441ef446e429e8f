"""The networks of GraphNAS's cell space, in plain PyTorch.

Source: Gao et al., Graph Neural Architecture Search, IJCAI 2020, arXiv:1904.09981; its code,
GraphNAS/GraphNAS (micro_gnn.py). That code counts the first node twice in "add" and "product" and
leaves the activation out there; here it is done as for "concat".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nas.search_spaces.graph.macro import ACTIVATIONS
from nas.search_spaces.graph.operations import make_operation
from nas.search_spaces.graph.readout import read_out
from nas.search_spaces.graph.sparse_features import FeatureLinear, Features, dropped
from nas.search_spaces.graph.structure import Structure

COMBINE = ("add", "product", "concat")


def combine(name: str, states: Sequence[Tensor]) -> Tensor:
    """Join the nodes of a cell, one of `COMBINE`."""
    if name == "concat":
        return torch.cat(list(states), 1)
    return sum(states[1:], states[0]) if name == "add" else math.prod(states[1:], start=states[0])


class MicroCell(nn.Module):
    """Two inputs, brought to the hidden size; nodes that each do one operation; their union.

    Args:
        inputs: Of every node: 0 the cell before the last, 1 the last cell, 2 the first node ...
        operations: Of every node.
        activation: Of the result.
        combined: How the nodes are joined.
        before: Features of the two inputs.
        hidden: Features of a node.
    """

    def __init__(
        self,
        inputs: Sequence[int],
        operations: Sequence[str],
        activation: str,
        combined: str,
        before: tuple[int, int],
        hidden: int,
    ) -> None:
        super().__init__()
        self.inputs, self.activation, self.combined = tuple(inputs), activation, combined
        # What weights agree in beside their shapes.
        self.sharing_key = (tuple(operations), activation)
        self.stems = nn.ModuleList(FeatureLinear(features, hidden) for features in before)
        self.nodes = nn.ModuleList(make_operation(name, hidden) for name in operations)

    def forward(self, one: Features, two: Features, edges: Structure) -> Tensor:
        """Return [N, hidden], or [N, nodes * hidden] where nodes are concatenated."""
        states = [stem(x) for stem, x in zip(self.stems, (one, two), strict=True)]
        for source, node in zip(self.inputs, self.nodes, strict=True):
            states.append(node(states[source], edges))
        return ACTIVATIONS[self.activation](combine(self.combined, states[2:]))


class MicroNetwork(nn.Module):
    """Cells one after the other, each of which sees the last two, and a linear classifier.

    Args:
        inputs, operations, activation, combined: As for `MicroCell`; all cells are alike.
        features: Of a node of the graph.
        classes: Number of logits.
        cells: How many there are.
        hidden: Features of a node of a cell.
        dropout: Of the graph's features.
        pool: How the nodes of a graph are joined where graphs are classified.
    """

    config: dict[str, object]  # the arguments that it was built with

    def __init__(
        self,
        inputs: Sequence[int],
        operations: Sequence[str],
        activation: str,
        combined: str,
        features: int,
        classes: int,
        cells: int = 2,
        hidden: int = 64,
        dropout: float = 0.6,
        pool: str = "mean",
    ) -> None:
        super().__init__()
        self.dropout, self.pool = dropout, pool
        width = hidden * len(operations) if combined == "concat" else hidden
        before = (features, features)
        self.cells = nn.ModuleList()
        for _ in range(cells):
            cell = MicroCell(inputs, operations, activation, combined, before, hidden)
            self.cells.append(cell)
            before = (before[1], width)
        self.classifier = nn.Linear(width, classes)

    def forward(self, graph: Any) -> Tensor:
        """Return logits [n, classes] of the nodes, or the graphs, that are asked for."""
        x: Any = dropped(graph.features, self.dropout, self.training)
        edges = Structure.of(graph)
        one, two = x, x
        for cell in self.cells:
            one, two = two, cell(one, two, edges)
        logits: Tensor = self.classifier(read_out(two, graph, self.pool))
        return logits
