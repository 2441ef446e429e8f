"""The networks of GNAS-MP, in plain PyTorch.

Source: Cai et al., Rethinking Graph Neural Architecture Search from Message-passing, CVPR 2021,
arXiv:2103.14282, sec. 3; its code, phython96/GNAS-MP (model_search.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.graph.cell_edges import edge_names
from nas.search_spaces.graph.message_passing import make_aggregation, make_filter
from nas.search_spaces.graph.readout import read_out
from nas.search_spaces.graph.sparse_features import FeatureLinear, dropped
from nas.search_spaces.graph.structure import Structure


class MPCell(nn.Module):
    """Three stages of states; the last one's are joined, and the input is added.

    Args:
        nodes: States a stage.
        channels: Features of a state.
    """

    def __init__(self, nodes: int, channels: int) -> None:
        super().__init__()
        self.places = list(edge_names(nodes))
        self.nodes = nodes
        self.edges = nn.ModuleDict()
        self.joined = nn.Linear(nodes * channels, channels)
        self.norm = nn.BatchNorm1d(channels)

    def forward(self, x: Tensor, edges: Structure) -> Tensor:
        """Return [N, channels] for [N, channels]."""
        states: dict[int, Tensor] = {0: x}
        for name, _, target, source in self.places:
            y = self.edges[name](states[source], x, edges)
            states[target] = states[target] + y if target in states else y
        last = [states[2 * self.nodes + i] for i in range(1, self.nodes + 1)]
        return x + F.leaky_relu(self.norm(self.joined(torch.cat(last, 1))))


class MPStack(nn.Module):
    """A linear layer, cells one after the other, a linear classifier.

    Args:
        depth: Number of cells.
        features, classes, nodes, hidden, dropout, pool, edge_features: As for `MPNetwork`.
    """

    def __init__(
        self,
        depth: int,
        features: int,
        classes: int,
        nodes: int,
        hidden: int,
        dropout: float,
        pool: str,
        edge_features: int,
    ) -> None:
        super().__init__()
        self.dropout, self.pool, self.edge_features = dropout, pool, edge_features
        self.stem = FeatureLinear(features, hidden)
        self.cells = nn.ModuleList()
        for number in range(depth):
            cell = MPCell(nodes, hidden)
            for name, stage, _, _ in cell.places:
                cell.edges[name] = self.make_edge(number, name, stage, hidden)
            self.cells.append(cell)
        self.classifier = nn.Linear(hidden, classes)

    def make_edge(self, cell: int, name: str, stage: str, channels: int) -> nn.Module:
        """Make what is on one edge of a cell, counted from 0."""
        raise NotImplementedError

    def make_operation(self, operation: str, stage: str, channels: int) -> nn.Module:
        """Make one operation of a stage."""
        if stage == "second":
            return make_aggregation(operation, channels, self.edge_features)
        return make_filter(operation, channels)

    def states(self, graph: Any, depth: int) -> list[Tensor]:
        """Return the features of all nodes after every cell, [N, hidden] each."""
        x = dropped(graph.features, self.dropout, self.training)
        own = graph.edge_features if self.edge_features else None
        edges = Structure.of(graph, own)
        found = [self.stem(x)]
        for cell in list(self.cells)[:depth]:
            found.append(cell(found[-1], edges))
        return found[1:]

    def classified(self, x: Tensor, graph: Any) -> Tensor:
        """Return logits of the nodes, or the graphs, that are asked for."""
        logits: Tensor = self.classifier(read_out(x, graph, self.pool))
        return logits


class MPNetwork(MPStack):
    """The network of one architecture.

    Args:
        operations: Of every cell, the operation of every edge, by name.
        features: Of a node of the graph.
        classes: Number of logits.
        nodes: States a stage of a cell.
        hidden: Features of a state.
        dropout: Of the graph's features.
        pool: How the nodes of a graph are joined where graphs are classified.
        edge_features: Of an edge of the graph; 0 is none.
    """

    config: dict[str, object]  # the arguments that it was built with

    def __init__(
        self,
        operations: Sequence[Mapping[str, str]],
        features: int,
        classes: int,
        nodes: int = 3,
        hidden: int = 64,
        dropout: float = 0.0,
        pool: str = "mean",
        edge_features: int = 0,
    ) -> None:
        self.operations = [dict(cell) for cell in operations]
        depth = len(self.operations)
        super().__init__(depth, features, classes, nodes, hidden, dropout, pool, edge_features)

    def make_edge(self, cell: int, name: str, stage: str, channels: int) -> nn.Module:
        return self.make_operation(self.operations[cell][name], stage, channels)

    def forward(self, graph: Any) -> Tensor:
        """Return logits [n, classes] of the nodes, or the graphs, that are asked for."""
        return self.classified(self.states(graph, len(self.cells))[-1], graph)
