"""GraphNAS's attention functions and layers, against loops over nodes and edges."""

from __future__ import annotations

import math

import pytest
import torch
from graphs import random_edges, structure
from torch import Tensor
from torch.nn import functional as F

from nas.search_spaces.graph.attention import ATTENTIONS, attend
from nas.search_spaces.graph.macro import ACTIVATIONS, AGGREGATORS, MacroLayer, MacroNetwork

NODES, HEADS, D = 12, 3, 4
EDGES = structure(random_edges(NODES), NODES).with_loops


def score(name: str, i: Tensor, j: Tensor, left: Tensor, right: Tensor, units: Tensor) -> float:
    """Return the score of an edge from j to i of one head."""
    if name == "gat":
        return float(F.leaky_relu(left @ i + right @ j, 0.2))
    if name == "gat_sym":
        return score("gat", i, j, left, right, units) + score("gat", j, i, left, right, units)
    if name == "cos":
        return float((left * i) @ (right * j))
    if name == "linear":
        return math.tanh(float((left + right) @ j))
    return float(units @ torch.tanh(left * i + right * j))


@pytest.mark.parametrize("name", ATTENTIONS)
def test_attention_follows_its_formula(name: str) -> None:
    torch.manual_seed(0)
    h = torch.randn(NODES, HEADS, D, dtype=torch.float64)
    vectors = torch.randn(2, HEADS, D, dtype=torch.float64)
    units = torch.randn(D, dtype=torch.float64)
    found = attend(name, h, vectors, units, EDGES).expand(-1, HEADS)
    into: dict[int, list[int]] = {}
    for edge, target in enumerate(EDGES.target.tolist()):
        into.setdefault(target, []).append(edge)
    for target, edges in into.items():
        for head in range(HEADS):
            if name == "const":
                expected = [1.0] * len(edges)
            elif name == "gcn":
                degrees = [len(into[int(EDGES.source[e])]) for e in edges]
                expected = [1 / math.sqrt(d * len(edges)) for d in degrees]
            else:
                left, right = vectors[:, head]
                sources = [h[int(EDGES.source[e]), head] for e in edges]
                raw = [score(name, h[target, head], j, left, right, units) for j in sources]
                total = sum(map(math.exp, raw))
                expected = [math.exp(r) / total for r in raw]
            assert found[edges, head].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("aggregation", AGGREGATORS)
def test_layer_joins_heads_and_messages(aggregation: str, last: bool) -> None:
    torch.manual_seed(0)
    layer = MacroLayer(5, "gat", aggregation, "tanh", HEADS, D, last, dropout=0.0).double()
    x = torch.randn(NODES, 5, dtype=torch.float64)
    h = layer.linear(x).view(NODES, HEADS, D)
    weights = attend("gat", h, layer.vectors, None, EDGES)
    rows = []
    for node in range(NODES):
        edges = (EDGES.target == node).nonzero()[:, 0]
        messages = weights[edges, :, None] * h[EDGES.source[edges]]
        joined = {"mean": messages.mean(0), "max": messages.amax(0)}
        row = joined.get(aggregation, messages.sum(0))
        if layer.mlp is not None:
            first, second = layer.mlp.first, layer.mlp.second
            row = second(first(row).relu())
        rows.append(row.mean(0) if last else row.flatten())
    expected = (torch.stack(rows) + layer.bias).tanh()
    assert torch.allclose(layer(x, EDGES), expected)


def test_layer_has_no_weights_that_it_does_not_use() -> None:
    def names(*options: str) -> set[str]:
        layer = MacroLayer(5, options[0], options[1], "relu", 2, 4, False, 0.0)
        return {name.partition(".")[0] for name, _ in layer.named_parameters()}

    assert names("const", "sum") == names("gcn", "max") == {"linear", "bias"}
    assert names("gat", "mlp") == {"linear", "bias", "vectors", "mlp"}
    assert names("generalized_linear", "mean") == {"linear", "bias", "vectors", "general"}


def test_dropout_is_of_features_and_attention_in_training_only() -> None:
    from nas.task.graph import Graph

    graph = Graph(torch.ones(NODES, 5), random_edges(NODES), index=torch.arange(3))
    layers = [("gat", "sum", "linear", 2, 4), ("gat", "sum", "linear", 2, 4)]
    network = MacroNetwork(layers, 5, 2, dropout=0.5)
    assert not torch.equal(network(graph), network(graph))
    network.eval()
    assert torch.equal(network(graph), network(graph))
    assert network(graph).shape == (3, 2)
    assert len(ACTIVATIONS) == 8
