"""The networks of NAS-Bench-Graph, in plain PyTorch.

Source: Qin et al., NAS-Bench-Graph, NeurIPS 2022, arXiv:2206.09166, sec. 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.graph.operations import make_operation
from nas.search_spaces.graph.readout import read_out
from nas.search_spaces.graph.sparse_features import FeatureLinear, dropped
from nas.search_spaces.graph.structure import Structure


class TreeOperation(nn.Module):
    """An operation and, but after `skip`, a ReLU.

    Args:
        name: See `make_operation`.
        channels: Features of a node.
    """

    def __init__(self, name: str, channels: int) -> None:
        super().__init__()
        self.operation = make_operation(name, channels)
        self.activated = name != "skip"

    def forward(self, x: Tensor, edges: Structure) -> Tensor:
        """Return [N, channels] for [N, channels]."""
        y: Tensor = self.operation(x, edges)
        return F.relu(y) if self.activated else y


def leaves(links: Sequence[int], operations: Sequence[str]) -> list[int]:
    """Return the nodes, from 1, that are read out: no other takes them.

    What only hands on the input is left out, as in the paper's classes of equal networks.
    """
    same = {0}  # as the input
    for node, (source, operation) in enumerate(zip(links, operations, strict=True), 1):
        if operation == "skip" and source in same:
            same.add(node)
    return [node for node in range(1, len(links) + 1) if node not in same and node not in links]


class TreeNetwork(nn.Module):
    """A linear layer, the nodes of a tree, and a linear classifier on its leaves.

    Args:
        links: What every node takes: 0 the input, n the n-th node.
        operations: Of every node.
        features: Of a node of the graph.
        classes: Number of logits.
        hidden: Features of every state.
        dropout: Of the graph's features, and of those that are classified.
        pool: How the nodes of a graph are joined where graphs are classified.
    """

    config: dict[str, object]  # the arguments that it was built with

    def __init__(
        self,
        links: Sequence[int],
        operations: Sequence[str],
        features: int,
        classes: int,
        hidden: int = 64,
        dropout: float = 0.6,
        pool: str = "mean",
    ) -> None:
        super().__init__()
        self.links, self.leaves = tuple(links), leaves(links, operations)
        self.dropout, self.pool = dropout, pool
        self.stem = FeatureLinear(features, hidden)
        self.nodes = nn.ModuleList(TreeOperation(name, hidden) for name in operations)
        self.classifier = nn.Linear(len(self.leaves) * hidden, classes)

    def forward(self, graph: Any) -> Tensor:
        """Return logits [n, classes] of the nodes, or the graphs, that are asked for."""
        x = dropped(graph.features, self.dropout, self.training)
        edges = Structure.of(graph)
        states = [F.relu(self.stem(x))]
        for source, node in zip(self.links, self.nodes, strict=True):
            states.append(node(states[source], edges))
        x = torch.cat([states[leaf] for leaf in self.leaves], 1)
        x = F.dropout(read_out(x, graph, self.pool), self.dropout, self.training)
        logits: Tensor = self.classifier(x)
        return logits
