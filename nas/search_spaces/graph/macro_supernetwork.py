"""The network of GraphNAS's macro space with everything a choice: what `Supernet` wraps.

Fewer heads are the first heads of the largest layer, a smaller hidden size the first features of
every head; a path computes no others. A mixture is computed at the largest sizes, and heads and
features weigh what the sizes that have them weigh together (Wan et al., FBNetV2, CVPR 2020,
arXiv:2004.05565, sec. 3.1). Attention functions are mixed on the edges, aggregations at the
nodes, so that a mixture costs little more than the largest architecture.

By default all attentions and activations of a layer use the same transform. `separate` gives those
of different attention, or activation, or both, weights of their own, as Zhou et al., Auto-GNN
(AGNN), arXiv:1909.03184, sec. 4.3 have it; then a mixture runs every one of them. `shrink` divides
all hidden sizes, as supernets of cells have fewer channels than what is trained in the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.graph.attention import WITH_VECTORS, attend
from nas.search_spaces.graph.macro import (
    ACTIVATIONS,
    MLP,
    MacroNetwork,
    aggregate,
    vectors_of,
)
from nas.search_spaces.graph.readout import read_out
from nas.search_spaces.graph.sparse_features import Features, dropped, transformed
from nas.search_spaces.graph.structure import Structure
from nas.search_spaces.graph.sums import weighted_sum
from nas.search_spaces.sliced.choice import Choice, Size, chosen
from nas.space import Decision

__all__ = ["FIELDS", "MacroSupernetwork"]

FIELDS = ("attention", "aggregation", "activation", "heads", "hidden")
SEPARABLE = ("attention", "activation")
SHARED = "all"


class Weights(nn.Module):
    """The weights of one layer at its largest sizes.

    Args:
        inputs: Shape of a node's features: (features,), or (heads, hidden) of the layer before.
        heads, hidden: The largest.
        last: Whether heads are averaged.
    """

    def __init__(self, inputs: tuple[int, ...], heads: int, hidden: int, last: bool) -> None:
        super().__init__()
        self.linear = nn.Parameter(torch.empty(heads, hidden, *inputs))
        nn.init.xavier_uniform_(self.linear.view(heads * hidden, -1))
        self.bias = nn.Parameter(torch.zeros(*([] if last else [heads]), hidden))
        self.vectors = vectors_of(heads, hidden)
        self.general = nn.Parameter(torch.empty(hidden))
        nn.init.uniform_(self.general, -(hidden**-0.5), hidden**-0.5)
        self.mlp = MLP(hidden)

    def transform(self, x: Features, heads: int, hidden: int) -> Tensor:
        """Return W x, [N, heads, hidden], for [N, features] or [N, heads before, hidden before]."""
        weight = self.cut(heads, hidden, x.shape[1:])
        rows = x.flatten(1) if isinstance(x, Tensor) else x
        return transformed(rows, weight).view(-1, heads, hidden)

    def cut(self, heads: int, hidden: int, inputs: Sequence[int]) -> Tensor:
        """Return the part of the transform that some sizes need, as a matrix."""
        places = tuple(slice(size) for size in (heads, hidden, *inputs))
        return self.linear[places].reshape(heads * hidden, -1)

    def joined(self, name: str, y: Tensor) -> Tensor:
        """Return what an aggregation makes of joined messages, [N, heads, hidden]."""
        if name != "mlp":
            return y
        first, second, hidden = self.mlp.first, self.mlp.second, y.shape[-1]
        y = F.relu(F.linear(y, first.weight[:, :hidden], first.bias))
        return F.linear(y, second.weight[:hidden], second.bias[:hidden])


class SuperLayer(nn.Module):
    """`MacroLayer` with a choice of everything.

    Args:
        decisions: Of this layer, by `FIELDS`.
        inputs: Shape of a node's features: (features,), or the largest (heads, hidden) before.
        last: Whether heads are averaged.
        dropout: Of the attention.
        separate: Of `SEPARABLE`, those whose options have weights of their own.
        shrink: What hidden sizes are divided by.
        classes: The hidden size whatever is chosen, where the layer gives the classes.
    """

    def __init__(
        self,
        decisions: Mapping[str, Decision],
        inputs: tuple[int, ...],
        last: bool,
        dropout: float,
        separate: Sequence[str],
        shrink: int,
        classes: int | None = None,
    ) -> None:
        super().__init__()
        self.last, self.dropout, self.separate = last, dropout, tuple(separate)
        self.attention, self.aggregation, self.activation = (
            Choice[str](decisions[field]) for field in FIELDS[:3]
        )
        self.heads, self.hidden = (Size(decisions[field]) for field in FIELDS[3:])
        self.sizes = {size: classes or size // shrink for size in self.hidden.options}
        self.largest = max(self.heads.options), max(self.sizes.values())
        self.weights = nn.ModuleDict()
        for attention, activation in product(*map(self._keys, SEPARABLE)):
            self.weights[f"{attention}-{activation}"] = Weights(inputs, *self.largest, last)

    @property
    def choices(self) -> dict[str, Choice[Any]]:
        """Field -> choice."""
        return {field: getattr(self, field) for field in FIELDS}

    def _keys(self, field: str) -> Sequence[str]:
        options: Sequence[str] = self.choices[field].options
        return options if field in self.separate else (SHARED,)

    def weights_for(self, attention: str, activation: str) -> Weights:
        """Return the weights of one attention and activation, or of the mixture `SHARED`."""
        pair = zip(SEPARABLE, (attention, activation), strict=True)
        names = [option if field in self.separate else SHARED for field, option in pair]
        found = self.weights["-".join(names)]
        assert isinstance(found, Weights)
        return found

    def forward(self, x: Features, edges: Structure) -> Tensor:
        """Return [N, heads, hidden], or [N, hidden] from the last layer, at the largest sizes."""
        if "attention" in self.separate:
            y = self.attention.mix(lambda name: self._activated(x, edges, name))
        else:
            y = self._activated(x, edges, SHARED)
        y = self.hidden.masked(y.movedim(-1, 1), list(self.sizes.values())).movedim(1, -1)
        return y if self.last else self.heads.masked(y)

    def _activated(self, x: Features, edges: Structure, attention: str) -> Tensor:
        """Run everything with one attention, or with the mixture of all."""
        if "activation" in self.separate:
            return self.activation.mix(
                lambda name: ACTIVATIONS[name](self._linear(x, edges, attention, name))
            )
        y = self._linear(x, edges, attention, SHARED)
        return self.activation.mix(lambda name: ACTIVATIONS[name](y))

    def _linear(self, x: Features, edges: Structure, attention: str, activation: str) -> Tensor:
        """Run all but the activation, with the weights of one attention and activation."""
        weights = self.weights_for(attention, activation)
        h = weights.transform(x, self.heads.largest, self.sizes[self.hidden.largest])
        if attention == SHARED:
            shares = self.attention.mix(lambda name: self._attend(name, h, weights, edges))
        else:
            shares = self._attend(attention, h, weights, edges)
        y = self._aggregated(h, shares, weights, edges)
        y = self._averaged(y) if self.last else y
        return y + weights.bias[tuple(slice(size) for size in y.shape[1:])]

    def _averaged(self, y: Tensor) -> Tensor:
        return self.heads.mix(lambda heads: y[:, :heads].mean(1))

    def _attend(self, name: str, h: Tensor, weights: Weights, edges: Structure) -> Tensor:
        _, heads, hidden = h.shape
        vectors, general = weights.vectors[:, :heads, :hidden], weights.general[:hidden]
        shares = attend(name, h, vectors, general, edges)
        return F.dropout(shares, self.dropout, self.training) if name in WITH_VECTORS else shares

    def _aggregated(self, h: Tensor, shares: Tensor, weights: Weights, edges: Structure) -> Tensor:
        names = [self.aggregation.options[i] for i in self.aggregation.active]
        total = None if names == ["max"] else weighted_sum(h, shares, edges)
        return self.aggregation.mix(
            lambda name: weights.joined(name, aggregate(name, h, shares, edges, total))
        )

    def plain(self, options: Mapping[str, Any], inputs: tuple[int, ...]) -> dict[str, Tensor]:
        """Return the weights of a `MacroLayer` by name, some more than it needs.

        Args:
            options: The chosen ones, by `FIELDS`, hidden sizes as they are here.
            inputs: (features,), or heads and hidden size chosen before.
        """
        weights = self.weights_for(options["attention"], options["activation"])
        heads, hidden = options["heads"], options["hidden"]
        first, second = weights.mlp.first, weights.mlp.second
        bias = weights.bias[..., :hidden]
        return {
            "linear.weight": weights.cut(heads, hidden, inputs),
            "bias": bias if self.last else bias[:heads].flatten(),
            "vectors": weights.vectors[:, :heads, :hidden],
            "general": weights.general[:hidden],
            "mlp.first.weight": first.weight[:, :hidden],
            "mlp.first.bias": first.bias,
            "mlp.second.weight": second.weight[:hidden],
            "mlp.second.bias": second.bias[:hidden],
        }


class MacroSupernetwork(nn.Module):
    """`MacroNetwork` with a choice of everything in every layer.

    Args:
        decisions: Of every layer, by `FIELDS`.
        features, classes, dropout, pool: As for `MacroNetwork`.
        separate: Of "attention" and "activation", those whose options have weights of their own.
        shrink: What hidden sizes are divided by.
        classifier: As for `MacroNetwork`.
    """

    def __init__(
        self,
        decisions: Sequence[Mapping[str, Decision]],
        features: int,
        classes: int,
        dropout: float,
        pool: str,
        separate: Sequence[str] = (),
        shrink: int = 1,
        classifier: bool = True,
    ) -> None:
        super().__init__()
        self.features = features
        self.settings = {
            "classes": classes, "dropout": dropout, "pool": pool, "classifier": classifier
        }  # fmt: skip
        self.dropout, self.pool = dropout, pool
        self.layers = nn.ModuleList()
        inputs: tuple[int, ...] = (features,)
        for number, fields in enumerate(decisions, 1):
            last = number == len(decisions)
            fixed = classes if last and not classifier else None
            layer = SuperLayer(fields, inputs, last, dropout, separate, shrink, fixed)
            self.layers.append(layer)
            inputs = layer.largest
        self.classifier = nn.Linear(inputs[-1], classes) if classifier else None

    def forward(self, graph: Any) -> Tensor:
        """Return logits [n, classes] of the nodes, or the graphs, that are asked for."""
        x: Any = dropped(graph.features, self.dropout, self.training)
        edges = Structure.of(graph).with_loops
        for number, layer in enumerate(self.layers):
            x = layer(F.dropout(x, self.dropout, self.training) if number else x, edges)
        x = read_out(x, graph, self.pool)
        if self.classifier is None:
            logits: Tensor = x
            return logits
        return F.linear(x, self.classifier.weight[:, : x.shape[1]], self.classifier.bias)

    def collapsed(self, path: Mapping[str, int | tuple[int, ...]]) -> nn.Module:
        """Return the plain network of a path, with copies of the weights that it uses."""
        inputs: tuple[int, ...] = (self.features,)
        options, state = [], {}
        for number, layer in enumerate(self.layers):
            assert isinstance(layer, SuperLayer)
            fields = chosen(layer.choices, path)
            fields["hidden"] = layer.sizes[fields["hidden"]]
            for name, tensor in layer.plain(fields, inputs).items():
                state[f"layers.{number}.{name}"] = tensor
            inputs = fields["heads"], fields["hidden"]
            options.append(tuple(fields[field] for field in FIELDS))
        if self.classifier is not None:
            state["classifier.weight"] = self.classifier.weight[:, : inputs[-1]]
            state["classifier.bias"] = self.classifier.bias
        config: dict[str, Any] = {"layers": options, "features": self.features, **self.settings}
        network = MacroNetwork(**config).to(next(self.parameters()))
        network.config = config
        network.load_state_dict({name: state[name] for name in network.state_dict()})
        return network.train(self.training)
