"""Updates of nodes by their edges, and of edges by their nodes.

Source: Cai et al., Edge-featured Graph Neural Architecture Search (EGNAS), arXiv:2109.01356; Cai et
al., Automatic Relation-aware Graph Network Proliferation (ARGNP), CVPR 2022, arXiv:2205.15678; the
latter's code, phython96/ARGNP (operations.py). That code computes the deviation as
sqrt(E[m^2] - E[m]); here it is sqrt(E[m^2] - E[m]^2).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.graph.message_passing import Nothing, Same
from nas.search_spaces.graph.structure import Structure
from nas.search_spaces.graph.sums import edge_max

SLOPE = 0.2  # of LeakyReLU
EPSILON = 1e-5  # below it no root is taken


def difference(source: Tensor, target: Tensor) -> Tensor:
    """Return |u - v|."""
    return (source - target).abs()


def similarity(source: Tensor, target: Tensor) -> Tensor:
    """Return exp(-(u - v)^2 / 2)."""
    return torch.exp(-(source - target).square() / 2)


def middle(source: Tensor, target: Tensor) -> Tensor:
    """Return (u + v) / 2."""
    return (source + target) / 2


RELATIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "sub": difference,
    "gauss": similarity,
    "max": torch.maximum,
    "sum": torch.add,
    "mean": middle,
    "had": torch.mul,
}
"""What an edge sees of its two nodes, [E, D] for [E, D] and [E, D]."""


def message_sum(messages: Tensor, edges: Structure) -> Tensor:
    """Return the sum of the messages at every node, [N, D] for [E, D]."""
    start = messages.new_zeros(edges.nodes, messages.shape[1])
    return start.index_add(0, edges.target, messages)


def message_mean(messages: Tensor, edges: Structure) -> Tensor:
    """Return the mean of the messages at every node, [N, D]; 0 where there are none."""
    return message_sum(messages, edges) / edges.degree.clamp_min(1)[:, None]


def message_deviation(messages: Tensor, edges: Structure) -> Tensor:
    """Return sqrt(E[m^2] - E[m]^2 + epsilon) of the messages at every node, [N, D].

    It is computed as E[(m - E[m])^2], which loses no digits.
    """
    centred = messages - message_mean(messages, edges)[edges.target]
    return (message_mean(centred.square(), edges) + EPSILON).sqrt()


def message_power_mean(messages: Tensor, edges: Structure, power: int) -> Tensor:
    """Return the generalised mean E[m^p]^(1/p) of messages, of at least epsilon each, [N, D]."""
    mean = message_mean(messages.clamp_min(EPSILON).pow(power), edges)
    return mean.clamp_min(EPSILON**power).pow(1 / power)


AGGREGATIONS: dict[str, Callable[[Tensor, Structure], Tensor]] = {
    "mean": message_mean,
    "sum": message_sum,
    "max": edge_max,
    "std": message_deviation,
    "gem2": partial(message_power_mean, power=2),
    "gem3": partial(message_power_mean, power=3),
}
"""How messages are joined at every node, [N, D] for [E, D]."""


class RowNorm(nn.BatchNorm1d):
    """Batch norm that takes the running statistics where there are less than two rows."""

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, D] for [N, D]; N may be 0: a sampled graph may have no edge."""
        y: Tensor
        if self.training and len(x) < 2:
            mean, variance = self.running_mean, self.running_var
            y = F.batch_norm(x, mean, variance, self.weight, self.bias, False, 0.0, self.eps)
        else:
            y = super().forward(x)
        return y


class Modulation(nn.Module):
    """sigmoid(B A(given)) * x + C A(given): what is given says how features are scaled and moved.

    A is two linear layers, each with a LeakyReLU.

    Args:
        c_given: Features of what is given.
        c_inner: Features that A gives.
        c_out: Features of x.
    """

    def __init__(self, c_given: int, c_inner: int, c_out: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(c_given, c_inner), nn.Linear(c_inner, c_inner)
        self.scale, self.shift = nn.Linear(c_inner, c_out), nn.Linear(c_inner, c_out)

    def forward(self, x: Tensor, given: Tensor) -> Tensor:
        """Return [E, c_out] for [E, c_out] and [E, c_given]."""
        a = F.leaky_relu(self.second(F.leaky_relu(self.first(given), SLOPE)), SLOPE)
        y: Tensor = torch.sigmoid(self.scale(a)) * x + self.shift(a)
        return y


class NodeUpdate(nn.Module):
    """Messages sigmoid(B A(e)) * v + C A(e) of the neighbours, joined; linear layer, batch norm.

    Args:
        kind: One of `AGGREGATIONS`.
        channels: Features of a node.
        edge_channels: Features of an edge.
    """

    def __init__(self, kind: str, channels: int, edge_channels: int) -> None:
        super().__init__()
        self.kind = kind
        self.first, self.second = nn.Linear(channels, channels), nn.Linear(channels, channels)
        self.message = Modulation(edge_channels, edge_channels, channels)
        self.end = nn.Sequential(nn.Linear(channels, channels), RowNorm(channels))

    def forward(self, v: Tensor, e: Tensor, edges: Structure) -> Tensor:
        """Return [N, channels] for nodes [N, channels] and edges [E, edge_channels]."""
        v = self.second(F.leaky_relu(self.first(F.leaky_relu(v, SLOPE)), SLOPE))
        messages = self.message(v[edges.source], e)
        y: Tensor = self.end(AGGREGATIONS[self.kind](messages, edges))
        return y


class EdgeUpdate(nn.Module):
    """sigmoid(B A(f)) * e + C A(f), f of the edge's two nodes; linear layer, batch norm.

    Args:
        kind: One of `RELATIONS`.
        channels: Features of a node.
        edge_channels: Features of an edge.
    """

    def __init__(self, kind: str, channels: int, edge_channels: int) -> None:
        super().__init__()
        self.kind = kind
        self.relation = Modulation(channels, edge_channels, edge_channels)
        self.end = nn.Sequential(nn.Linear(edge_channels, edge_channels), RowNorm(edge_channels))

    def forward(self, e: Tensor, v: Tensor, edges: Structure) -> Tensor:
        """Return [E, edge_channels] for edges [E, edge_channels] and nodes [N, channels]."""
        seen = RELATIONS[self.kind](v[edges.source], v[edges.target])
        y: Tensor = self.end(self.relation(F.leaky_relu(e, SLOPE), seen))
        return y


def make_update(of: str, kind: str, channels: int, edge_channels: int) -> nn.Module:
    """Make an update that takes the state that it is of, the other one, and the graph.

    Args:
        of: "node" or "edge".
        kind: "none", "identity", or one of `AGGREGATIONS` (nodes) or `RELATIONS` (edges).
        channels: Features of a node.
        edge_channels: Features of an edge.
    """
    if kind in ("none", "identity"):
        return Nothing() if kind == "none" else Same()
    return (NodeUpdate if of == "node" else EdgeUpdate)(kind, channels, edge_channels)
