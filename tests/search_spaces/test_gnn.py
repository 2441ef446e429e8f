"""GraphNAS's macro space: published facts, shared weights, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nas.costs.measure import count_parameters
from nas.errors import NasError
from nas.search_spaces.gnn import FIELDS, GNN
from nas.search_spaces.graph import macro
from nas.search_spaces.graph.attention import ATTENTIONS
from nas.space import Architecture
from nas.task import TaskInfo

SPACE = GNN()
TASK = TaskInfo((5,), 3, "nodes")
GRAPH: Any = TASK.example(12)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_size(layers: int) -> None:
    assert GNN(layers).size == 9_408**layers
    assert len(GNN(layers).decisions) == layers * len(FIELDS)


def test_names_are_those_of_the_network() -> None:
    options = {decision.name.partition("/")[2]: decision.options for decision in SPACE.decisions}
    assert options["attention"] == ATTENTIONS
    assert options["aggregation"] == macro.AGGREGATORS
    assert options["activation"] == tuple(macro.ACTIVATIONS)


def test_two_layers_at_least_one() -> None:
    with pytest.raises(NasError, match="layers=0"):
        GNN(0)


def test_sizes_may_end_earlier() -> None:
    space = GNN(layers=2, most_heads=4, most_hidden=32)
    assert space.size == (7 * 4 * 8 * 3 * 4) ** 2
    assert space.name == "gnn:most_heads=4,most_hidden=32"
    assert not space.catalogue()
    assert set(GNN(most_hidden=64).catalogue()) == {"gcn", "gat"}
    assert set(GNN(most_heads=4).catalogue()) == {"gcn"}
    supernet = space.supernet(TASK, shrink=4)
    assert supernet.network.layers[0].weights["all-all"].linear.shape == (4, 8, 5)
    assert GNN(most_heads=5).decisions == GNN(most_heads=4).decisions
    for options in ({"most_heads": 0}, {"most_hidden": 3}):
        with pytest.raises(NasError, match=r"space 'gnn': most_\w+=\d; at least [14] is needed"):
            GNN(**options)


def test_gcn_and_gat_have_the_published_sizes() -> None:
    """Of Cora: 1,433 features; GCN 16 hidden features, GAT 8 heads of 8."""
    found = SPACE.catalogue()
    for name, features in (("gcn", 16), ("gat", 64)):
        network = SPACE.build(found[name], TaskInfo((1433,), 7, "nodes"))
        first, second = network.layers
        assert first.linear.weight.shape == (features, 1433)
        assert second.linear.weight.shape == (64, features)


def test_wrong_kind_of_task() -> None:
    [a] = SPACE.sample(np.random.default_rng(0), 1)
    for make in (lambda task: SPACE.build(a, task), SPACE.supernet):
        with pytest.raises(NasError, match="'gnn' needs a graph"):
            make(TaskInfo((3, 8, 8), 10))


def test_settings_are_checked() -> None:
    for options, message in (
        ({"shrink": 3}, "supernet.shrink=3"),
        ({"separate": ("heads",)}, "supernet.separate 'heads'"),
        ({"dropout": 1.0}, "supernet.dropout=1.0"),
        ({"pool": "median"}, "pool 'median'"),
        ({"partial_channels": 4}, "no partial channels"),
    ):
        with pytest.raises(NasError, match=message):
            SPACE.supernet(TASK, **options)  # type: ignore[arg-type]


def changed(a: Architecture, **fields: Any) -> Architecture:
    """Return an architecture with other options in its first layer."""
    choices = list(a.choices)
    for field, option in fields.items():
        column = FIELDS.index(field)
        choices[column] = SPACE.decisions[column].index(option)
    return Architecture(SPACE.name, tuple(choices))


def used(supernet: Any, a: Architecture) -> set[str]:
    """Return the names of the weights of the first layer that a path uses."""
    supernet.zero_grad()
    supernet(GRAPH, supernet.path(a)).sum().backward()
    return {
        name
        for name, parameter in supernet.named_parameters()
        if "layers.0" in name and parameter.grad is not None and parameter.grad.any()
    }


@pytest.mark.parametrize("separate", [(), ("attention",), ("activation",)])
def test_separate_weights_are_shared_where_the_option_is_the_same(separate: tuple[str]) -> None:
    supernet = SPACE.supernet(TASK, shrink=4, separate=separate, dropout=0.0).train()
    base = {"aggregation": "sum", "heads": 2, "hidden": 16}
    a = changed(SPACE.catalogue()["gcn"], attention="gat", activation="tanh", **base)
    for field, option in (("attention", "gat_sym"), ("activation", "elu"), ("heads", 8)):
        shared = used(supernet, a) & used(supernet, changed(a, **{field: option}))
        assert bool(shared) == (field not in separate)


def test_a_mixture_runs_at_the_largest_sizes_only() -> None:
    """One pass through the transform, whatever is mixed: the supernet costs one large network."""
    supernet = SPACE.supernet(TASK, shrink=4).eval()
    transforms = 0
    for layer in supernet.network.layers:
        for weights in layer.weights.values():
            original = weights.transform

            def counted(*args: Any, original: Any = original) -> Any:
                nonlocal transforms
                transforms += 1
                return original(*args)

            weights.transform = counted
    gates = supernet.gates.items()
    weights = {n: torch.full((len(g.options),), 1 / len(g.options)) for n, g in gates}
    assert supernet(GRAPH, weights).shape == (12, 3)
    assert transforms == 2


def test_the_last_layer_may_give_the_classes() -> None:
    space = GNN()
    gcn = space.catalogue()["gcn"]
    task = TaskInfo((1433,), 7, kind="nodes")
    network = space.build(gcn, task, classifier=False)
    assert count_parameters(network) == 1433 * 16 + 16 + 16 * 7 + 7  # as Kipf and Welling's
    assert network(task.example(3)).shape == (3, 7)
    assert not isinstance(network.classifier, nn.Linear)


def test_also_in_the_supernet() -> None:
    """All hidden sizes of the last layer are one there; what is extracted computes a path."""
    supernet = SPACE.supernet(TASK, shrink=4, classifier=False).eval()
    for a in SPACE.sample(np.random.default_rng(0), 5):
        path = supernet.path(a)
        output = supernet(GRAPH, path)
        assert output.shape == (12, 3)
        network = supernet.extract(a).eval()
        assert not any("classifier" in name for name in network.state_dict())
        torch.testing.assert_close(network(GRAPH), output)
    gates = supernet.gates.items()
    logits = {n: torch.zeros(len(g.options), requires_grad=True) for n, g in gates}
    supernet(GRAPH, {n: row.softmax(0) for n, row in logits.items()}).square().sum().backward()
    moved = {
        n: bool(row.grad is not None and (row.grad.abs() > 1e-7).any()) for n, row in logits.items()
    }
    assert {n for n, some in moved.items() if not some} == {"layer2/hidden"}


@pytest.mark.parametrize("columns", [5, 200])
def test_a_mixture_is_trained_in_mixed_precision(columns: int) -> None:
    """Also on features that are mostly zeros; gradients are those of single precision, nearly."""
    task = TaskInfo((columns,), 3, "nodes")
    graph: Any = task.example(12)
    graph.features.mul_(torch.rand_like(graph.features) < 0.05 if columns > 100 else 1.0)
    torch.manual_seed(0)
    supernet = SPACE.supernet(task, shrink=4, dropout=0.0)
    gates = supernet.gates.items()
    found = []
    for enabled in (False, True):
        logits = {n: torch.zeros(len(g.options), requires_grad=True) for n, g in gates}
        supernet.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            output = supernet(graph, {n: row.softmax(0) for n, row in logits.items()})
        output.float().square().sum().backward()
        found.append(torch.cat([row.grad for row in logits.values() if row.grad is not None]))
    assert torch.cosine_similarity(*found, dim=0) > 0.99
