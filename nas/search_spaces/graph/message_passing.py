"""Operations of GNAS-MP: filters that scale features, aggregations that join neighbours.

Source: Cai et al., Rethinking Graph Neural Architecture Search from Message-passing, CVPR 2021,
arXiv:2103.14282, sec. 3; its code, phython96/GNAS-MP (operations.py).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.graph.structure import Structure
from nas.search_spaces.graph.sums import edge_max, neighbour_mean, neighbour_sum, weighted_max

FILTERS = ("none", "identity", "sparse", "dense")
AGGREGATIONS = ("identity", "mean", "sum", "max")


class Nothing(nn.Module):
    """Zeros."""

    is_zero = True

    def forward(self, x: Tensor, start: Tensor, edges: Structure) -> Tensor:
        """Return [N, D] for [N, D]."""
        return torch.zeros_like(x)


class Same(nn.Module):
    """What it is given."""

    def forward(self, x: Tensor, start: Tensor, edges: Structure) -> Tensor:
        """Return [N, D] for [N, D]."""
        return x


class Finished(nn.Module):
    """Linear layer, batch norm and ReLU, which end every operation with weights.

    Args:
        channels: Features of a node.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(channels, channels), nn.BatchNorm1d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, D] for [N, D]."""
        return F.relu(self.norm(self.linear(x)))


class Filter(nn.Module):
    """Scale features: sigmoid(W [x, start]) * x, one number a feature, or one a node.

    With one a node ("sparse") it is sigmoid(a . relu(W [x, start])) * x.

    Args:
        channels: Features of a node.
        dense: Whether every feature has a scale of its own.
    """

    def __init__(self, channels: int, dense: bool) -> None:
        super().__init__()
        self.scale = nn.Linear(2 * channels, channels)
        self.node = None if dense else nn.Linear(channels, 1, bias=False)
        self.end = Finished(channels)

    def forward(self, x: Tensor, start: Tensor, edges: Structure) -> Tensor:
        """Return [N, D] for a state and the cell's input, [N, D] both."""
        scale = self.scale(torch.cat([x, start], 1))
        if self.node is not None:
            scale = self.node(F.relu(scale))
        y: Tensor = self.end(torch.sigmoid(scale) * x)
        return y


class Aggregation(nn.Module):
    """Mean, sum or maximum over the neighbours j of relu(A x_j); for the sum of x_j itself.

    Where edges have features e, a message m becomes sigmoid(B e) * m + C e, as in EGNAS (Cai et
    al., Edge-featured Graph Neural Architecture Search, arXiv:2109.01356) with one linear layer
    each.

    Args:
        kind: "mean", "sum" or "max".
        channels: Features of a node.
        edge_features: Of an edge; 0 is none.
    """

    def __init__(self, kind: str, channels: int, edge_features: int) -> None:
        super().__init__()
        self.kind = kind
        self.before = None if kind == "sum" else nn.Linear(channels, channels)
        self.scale = nn.Linear(edge_features, channels) if edge_features else None
        self.shift = nn.Linear(edge_features, channels) if edge_features else None
        self.end = Finished(channels)

    def forward(self, x: Tensor, start: Tensor, edges: Structure) -> Tensor:
        """Return [N, D] for [N, D]."""
        if self.before is not None:
            x = F.relu(self.before(x))
        y: Tensor = self.end(self._joined(x, edges))
        return y

    def _joined(self, x: Tensor, edges: Structure) -> Tensor:
        if self.scale is not None and self.shift is not None:
            return self._with_edges(x, edges, self.scale, self.shift)
        if self.kind == "max":
            return weighted_max(x.unsqueeze(1), edges.ones, edges).squeeze(1)
        return neighbour_mean(x, edges) if self.kind == "mean" else neighbour_sum(x, edges)

    def _with_edges(
        self, x: Tensor, edges: Structure, scale: nn.Linear, shift: nn.Linear
    ) -> Tensor:
        given = edges.features
        assert given is not None
        messages = torch.sigmoid(scale(given)) * x[edges.source] + shift(given)
        if self.kind == "max":
            return edge_max(messages, edges)
        total = torch.zeros_like(x).index_add(0, edges.target, messages)
        return total / edges.degree.clamp_min(1)[:, None] if self.kind == "mean" else total


def make_filter(name: str, channels: int) -> nn.Module:
    """Make one of `FILTERS`."""
    if name in ("none", "identity"):
        return Nothing() if name == "none" else Same()
    return Filter(channels, name == "dense")


def make_aggregation(name: str, channels: int, edge_features: int) -> nn.Module:
    """Make one of `AGGREGATIONS`."""
    return Same() if name == "identity" else Aggregation(name, channels, edge_features)
