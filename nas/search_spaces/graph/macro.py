"""The networks of GraphNAS's macro space, in plain PyTorch.

Source: Gao et al., Graph Neural Architecture Search, IJCAI 2020, arXiv:1904.09981; its code,
GraphNAS/GraphNAS (pyg_gnn.py, pyg_gnn_layer.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.graph.attention import WITH_VECTORS, attend
from nas.search_spaces.graph.readout import read_out
from nas.search_spaces.graph.sparse_features import FeatureLinear, Features, dropped
from nas.search_spaces.graph.structure import Structure
from nas.search_spaces.graph.sums import weighted_max, weighted_sum

AGGREGATORS = ("sum", "mean", "max", "mlp")
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": F.relu,
    "linear": torch.clone,
    "softplus": F.softplus,
    "leaky_relu": F.leaky_relu,
    "relu6": F.relu6,
    "elu": F.elu,
}
MLP_WIDTH = 128


def aggregate(
    name: str, h: Tensor, weights: Tensor, edges: Structure, total: Tensor | None = None
) -> Tensor:
    """Join weighted messages at every node, before an MLP, [N, heads, D].

    Args:
        name: One of `AGGREGATORS`; "mlp" starts with the sum.
        h: Transformed features, [N, heads, D].
        weights: Of the edges, [E, heads] or [E, 1].
        edges: With an edge from every node to itself.
        total: The weighted sum, where it is known already.
    """
    if name == "max":
        return weighted_max(h, weights, edges)
    if total is None:
        total = weighted_sum(h, weights, edges)
    return total / edges.degree[:, None, None] if name == "mean" else total


def vectors_of(heads: int, hidden: int) -> nn.Parameter:
    """Return the two attention vectors of every head, [2, heads, hidden]."""
    vectors = nn.Parameter(torch.empty(2, heads, hidden))
    bound = (6.0 / (heads + 2 * hidden)) ** 0.5  # Glorot over [heads, 2 * hidden], as in GraphNAS
    nn.init.uniform_(vectors, -bound, bound)
    return vectors


class MacroLayer(nn.Module):
    """y = act(b + AGG over the edges into a node of attention * W x).

    Heads are side by side or, in the last layer, averaged. The aggregation "mlp" puts two linear
    layers, with a ReLU in between, on every head's sum. (GraphNAS has no ReLU there; without it
    they are one linear layer. It has them on the messages, also for mean and max.)

    Args:
        c_in: Features of a node.
        attention: One of `ATTENTIONS`.
        aggregation: One of `AGGREGATORS`.
        activation: One of `ACTIVATIONS`.
        heads: Number of heads.
        hidden: Features of a head.
        last: Whether heads are averaged.
        dropout: Of the attention, where it has a softmax.
    """

    def __init__(
        self,
        c_in: int,
        attention: str,
        aggregation: str,
        activation: str,
        heads: int,
        hidden: int,
        last: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.attention, self.aggregation, self.activation = attention, aggregation, activation
        self.heads, self.last, self.dropout = heads, last, dropout
        self.sharing_key = (attention, activation)  # what weights agree in beside their shapes
        self.linear = FeatureLinear(c_in, heads * hidden, bias=False)
        nn.init.xavier_uniform_(self.linear.weight)
        self.bias = nn.Parameter(torch.zeros(hidden if last else heads * hidden))
        self.vectors = vectors_of(heads, hidden) if attention in WITH_VECTORS else None
        self.general: nn.Parameter | None = None
        if attention == "generalized_linear":
            self.general = nn.Parameter(torch.empty(hidden))
            nn.init.uniform_(self.general, -(hidden**-0.5), hidden**-0.5)
        self.mlp = MLP(hidden) if aggregation == "mlp" else None

    def forward(self, x: Features, edges: Structure) -> Tensor:
        """Return [N, heads * hidden], or [N, hidden] from the last layer, for [N, c_in]."""
        h = self.linear(x).unflatten(1, (self.heads, -1))
        weights = attend(self.attention, h, self.vectors, self.general, edges)
        if self.vectors is not None:
            weights = F.dropout(weights, self.dropout, self.training)
        y = aggregate(self.aggregation, h, weights, edges)
        if self.mlp is not None:
            y = self.mlp(y)
        y = y.mean(1) if self.last else y.flatten(1)
        return ACTIVATIONS[self.activation](y + self.bias)


class MLP(nn.Module):
    """Two linear layers that keep the number of features.

    Args:
        hidden: The number of features.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(hidden, MLP_WIDTH), nn.Linear(MLP_WIDTH, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Return [..., hidden] for [..., hidden]."""
        y: Tensor = self.second(F.relu(self.first(x)))
        return y


class MacroNetwork(nn.Module):
    """Layers one after the other, and a linear classifier.

    GraphNAS lets the last layer give the classes (`classifier=False`), so that its hidden size does
    not matter.

    Args:
        layers: Of every layer the attention, aggregation, activation, heads and hidden size.
        features: Of a node.
        classes: Number of logits.
        dropout: Of the features before every layer, and of the attention.
        pool: How the nodes of a graph are joined where graphs are classified.
        classifier: Whether there is one; else the last layer itself gives the classes, as in
            GraphNAS, and its hidden size does not matter.
    """

    config: dict[str, object]  # the arguments that it was built with

    def __init__(
        self,
        layers: Sequence[tuple[str, str, str, int, int]],
        features: int,
        classes: int,
        dropout: float = 0.6,
        pool: str = "mean",
        classifier: bool = True,
    ) -> None:
        super().__init__()
        self.dropout, self.pool = dropout, pool
        self.layers = nn.ModuleList()
        for number, (attention, aggregation, activation, heads, hidden) in enumerate(layers, 1):
            last = number == len(layers)
            if last and not classifier:
                hidden = classes
            layer = MacroLayer(
                features, attention, aggregation, activation, heads, hidden, last, dropout
            )
            self.layers.append(layer)
            features = hidden if last else heads * hidden
        self.classifier = nn.Linear(features, classes) if classifier else nn.Identity()

    def forward(self, graph: Any) -> Tensor:
        """Return logits [n, classes] of the nodes, or the graphs, that are asked for."""
        x: Any = dropped(graph.features, self.dropout, self.training)
        edges = Structure.of(graph).with_loops
        for number, layer in enumerate(self.layers):
            x = layer(F.dropout(x, self.dropout, self.training) if number else x, edges)
        logits: Tensor = self.classifier(read_out(x, graph, self.pool))
        return logits
