"""Networks with a state of the nodes and one of the edges, in plain PyTorch.

Source: Cai et al., Edge-featured Graph Neural Architecture Search (EGNAS), arXiv:2109.01356; Cai et
al., Automatic Relation-aware Graph Network Proliferation (ARGNP), CVPR 2022, arXiv:2205.15678; the
latter's code, phython96/ARGNP (cell_train.py, data/__init__.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.graph.edge_updates import SLOPE, RowNorm, make_update
from nas.search_spaces.graph.readout import owners, pooled, read_out
from nas.search_spaces.graph.sparse_features import FeatureLinear, dropped
from nas.search_spaces.graph.structure import Structure

KINDS = ("node", "edge")


class Joined(nn.Module):
    """LeakyReLU, linear layer, batch norm and LeakyReLU of the states of a cell.

    Args:
        states: How many there are.
        channels: Features of each.
    """

    def __init__(self, states: int, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(states * channels, channels, bias=False)
        self.norm = RowNorm(channels)

    def forward(self, states: Sequence[Tensor]) -> Tensor:
        """Return [rows, channels] for states [rows, channels]."""
        x = self.linear(F.leaky_relu(torch.cat(list(states), 1), SLOPE))
        return F.leaky_relu(self.norm(x), SLOPE)


class EdgeCell(nn.Module):
    """States of nodes and of edges, each the sum of an update of every earlier pair of them.

    States 0 and 1 are what the two cells before gave. `updates` is filled afterwards.

    Args:
        states: How many there are besides.
        channels: Features of a node.
        edge_channels: Features of an edge.
        edges_go_on: Whether anything takes the edges that the cell gives.
    """

    def __init__(self, states: int, channels: int, edge_channels: int, edges_go_on: bool) -> None:
        super().__init__()
        self.last = {"node": states + 1, "edge": states + 1 if edges_go_on else states}
        self.updates = nn.ModuleDict()
        self.nodes = Joined(states + 2, channels)
        self.edges = Joined(states + 2, edge_channels) if edges_go_on else None

    def places(self) -> list[tuple[str, str]]:
        """Return name and kind ("node", "edge") of every update."""
        return [
            (f"{kind}{target}_{source}", kind)
            for kind in KINDS
            for target in range(2, self.last[kind] + 1)
            for source in range(target)
        ]

    def forward(
        self, nodes: Sequence[Tensor], edges: Sequence[Tensor], structure: Structure
    ) -> tuple[Tensor, Tensor]:
        """Return nodes [N, D] and edges [E, G] for two of each; the last edges if none go on."""
        states = {"node": list(nodes), "edge": list(edges)}
        for target in range(2, self.last["node"] + 1):
            pairs = list(zip(states["node"], states["edge"], strict=True))
            for kind in KINDS:
                if target <= self.last[kind]:
                    states[kind].append(self._state(kind, target, pairs, structure))
        given = edges[-1] if self.edges is None else self.edges(states["edge"])
        return self.nodes(states["node"]), given

    def _state(
        self, kind: str, target: int, pairs: list[tuple[Tensor, Tensor]], structure: Structure
    ) -> Tensor:
        ordered = pairs if kind == "node" else [(e, v) for v, e in pairs]
        terms: list[Tensor] = [
            self.updates[f"{kind}{target}_{source}"](own, other, structure)
            for source, (own, other) in enumerate(ordered)
        ]
        return sum(terms[1:], terms[0])


class EdgeStack(nn.Module):
    """Linear layers of nodes and edges, cells one after the other, a linear classifier.

    Where edges have no features they start from one learned vector.

    Args:
        features, classes, states, hidden, edge_hidden, cells, dropout, pool, edge_features, graphs:
            As for `EdgeNetwork`.
    """

    def __init__(
        self,
        features: int,
        classes: int,
        states: int,
        hidden: int,
        edge_hidden: int,
        cells: int,
        dropout: float,
        pool: str,
        edge_features: int,
        graphs: bool,
    ) -> None:
        super().__init__()
        self.dropout, self.pool, self.edge_features = dropout, pool, edge_features
        self.stem = FeatureLinear(features, hidden)
        self.edge_stem = nn.Linear(max(1, edge_features), edge_hidden)
        self.cells = nn.ModuleList()
        for number in range(1, cells + 1):
            cell = EdgeCell(states, hidden, edge_hidden, graphs or number < cells)
            for name, kind in cell.places():
                cell.updates[name] = self.make_update(name, kind, hidden, edge_hidden)
            self.cells.append(cell)
        self.classifier = nn.Linear(hidden + edge_hidden if graphs else hidden, classes)

    def make_update(self, name: str, kind: str, channels: int, edge_channels: int) -> nn.Module:
        """Make what is at one place of a cell."""
        raise NotImplementedError

    def forward(self, graph: Any) -> Tensor:
        """Return logits [n, classes] of the nodes, or the graphs, that are asked for."""
        x = dropped(graph.features, self.dropout, self.training)
        ones = graph.features.new_ones(graph.edges.shape[1], 1)
        structure = Structure.of(graph, graph.edge_features if self.edge_features else ones)
        nodes, edges = [self.stem(x)] * 2, [self.edge_stem(structure.features)] * 2
        for cell in self.cells:
            node, edge = cell(nodes, edges, structure)
            nodes, edges = [nodes[1], node], [edges[1], edge]
        rows = read_out(nodes[1], graph, self.pool)
        if graph.index is None:
            owner = owners(graph)[structure.target]
            rows = torch.cat([rows, pooled(edges[1], owner, graph.graphs, self.pool)], 1)
        logits: Tensor = self.classifier(rows)
        return logits


class EdgeNetwork(EdgeStack):
    """The network of one architecture; all cells are alike.

    Args:
        updates: The kind of update at every place of a cell, by name.
        features: Of a node of the graph.
        classes: Number of logits.
        states: Of nodes, and of edges, in a cell.
        hidden: Features of a state of the nodes.
        edge_hidden: Features of a state of the edges.
        cells: How many there are.
        dropout: Of the graph's features.
        pool: How nodes, and edges, of a graph are joined where graphs are classified.
        edge_features: Of an edge of the graph; 0 is none.
        graphs: Whether graphs are classified: by their edges too.
    """

    config: dict[str, object]  # the arguments that it was built with

    def __init__(
        self,
        updates: Mapping[str, str],
        features: int,
        classes: int,
        states: int = 2,
        hidden: int = 32,
        edge_hidden: int = 16,
        cells: int = 2,
        dropout: float = 0.0,
        pool: str = "mean",
        edge_features: int = 0,
        graphs: bool = False,
    ) -> None:
        self.kinds = dict(updates)
        super().__init__(
            features, classes, states, hidden, edge_hidden, cells, dropout, pool, edge_features,
            graphs,
        )  # fmt: skip

    def make_update(self, name: str, kind: str, channels: int, edge_channels: int) -> nn.Module:
        return make_update(kind, self.kinds[name], channels, edge_channels)
