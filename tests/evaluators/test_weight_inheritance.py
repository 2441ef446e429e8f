"""Candidates that start from the weights of earlier ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import make_task
from torch import Tensor, nn

from nas.errors import NasError
from nas.evaluators import train as module
from nas.evaluators.evaluator import Context
from nas.evaluators.weight_inheritance import (
    WeightInheritanceEvaluator,
    WeightInheritanceSettings,
    shareable,
)
from nas.objective import Measurement, Objective
from nas.search_spaces.gnn import GNN
from nas.search_spaces.gnn_micro import GNNMicro
from nas.search_spaces.graph.macro import MacroNetwork
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import Architecture
from nas.storage.checkpoint import load_checkpoint, save_checkpoint
from nas.task import Task

SPACE = NASBench201()
ARCHITECTURES = SPACE.sample(np.random.default_rng(0), 4)
CONVS = [SPACE.parse(f"|{op}~0|+|none~0|none~1|+|none~0|none~1|nor_conv_1x1~2|") for op in
         ("nor_conv_3x3", "nor_conv_1x1")]  # fmt: skip
QUICK: dict[str, Any] = {"epochs": 1, "batch_size": 10, "drop_path": 0.0, "cutout": 0}


def make(task: Task, **settings: Any) -> WeightInheritanceEvaluator:
    context = Context(SPACE, task, network={"channels": 4, "cells": 1})
    return WeightInheritanceEvaluator(context, WeightInheritanceSettings(**(QUICK | settings)))


def told(
    evaluator: WeightInheritanceEvaluator, architecture: Architecture, **metrics: float
) -> Measurement:
    """Evaluate and observe, with other metrics if they are given."""
    [measurement] = evaluator([architecture])
    assert measurement.ok, measurement.error
    evaluator.observe(architecture, Measurement(measurement.metrics | metrics))
    return measurement


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Tensor]]:
    """The weights that each training starts from."""
    found: list[dict[str, Tensor]] = []
    fit = module.fit

    def watched(network: nn.Module, *arguments: Any, **settings: Any) -> Any:
        found.append({name: value.clone() for name, value in network.state_dict().items()})
        return fit(network, *arguments, **settings)

    monkeypatch.setattr(module, "fit", watched)
    return found


# -- what agrees ----------------------------------------------------------------------------------


def layer(**changes: Any) -> tuple[Any, ...]:
    usual = {"attention": "gat", "aggregation": "sum", "activation": "elu", "heads": 2, "hidden": 4}
    return tuple((usual | changes).values())


def agreeing(*changes: dict[str, Any]) -> set[str]:
    """Return the parts in which two GNNs agree, of which one has other layers."""
    one, other = (
        shareable(MacroNetwork([layer(**first), layer(**second)], 5, 3))
        for first, second in [({}, {}), changes]
    )
    return {".".join(key.split("|")[0].split(".")[:2]) for key in one.keys() & other.keys()}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({}, {}, {"layers.0", "layers.1", "classifier."}),
        ({"attention": "gat_sym"}, {}, {"layers.1", "classifier."}),
        ({"activation": "tanh"}, {}, {"layers.1", "classifier."}),
        ({"aggregation": "mean"}, {}, {"layers.0", "layers.1", "classifier."}),
        ({"aggregation": "mlp"}, {}, {"layers.1", "classifier."}),
        ({"heads": 4}, {}, {"classifier."}),
        ({"heads": 4, "hidden": 2}, {}, {"layers.1", "classifier."}),
        ({}, {"hidden": 8}, {"layers.0"}),
    ],
)
def test_layers_of_a_graph_network_agree_as_agnn_says(
    first: dict[str, Any], second: dict[str, Any], expected: set[str]
) -> None:
    """In shapes, attention and activation."""
    assert agreeing(first, second) == expected


def test_cells_of_a_graph_network_agree_in_operations_and_activation() -> None:
    space, task = GNNMicro(), make_task("nodes")
    [architecture] = space.sample(np.random.default_rng(0), 1)

    def keys(choices: tuple[int, ...]) -> set[str]:
        found = shareable(space.build(Architecture(space.name, choices), task.info))
        return {key for key in found if key.startswith("cells.")}

    [at] = [i for i, d in enumerate(space.decisions) if d.name == "activation"]
    other = list(architecture.choices)
    other[at] = (other[at] + 1) % len(space.decisions[at].options)
    assert keys(architecture.choices) == keys(architecture.choices) != set()
    assert not keys(architecture.choices) & keys(tuple(other))


class RowNorm(nn.BatchNorm1d):
    pass


class Unit(nn.Module):
    def __init__(self, key: Any) -> None:
        super().__init__()
        self.sharing_key = key
        self.body = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))


class Parts(nn.Module):
    def __init__(self, key: Any = "a") -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)
        self.norm, self.rows = nn.GroupNorm(1, 2), RowNorm(2)
        self.shortcut = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
        self.own = nn.Parameter(torch.zeros(3))
        self.unit = Unit(key)


def names_in(network: nn.Module) -> set[str]:
    return {name for weights in shareable(network).values() for name in weights}


def test_normalisation_and_skip_connections_are_never_shared() -> None:
    unit = {"unit.body.0.weight", "unit.body.0.bias"}
    assert names_in(Parts()) == {"own", "linear.weight", "linear.bias"} | unit
    assert names_in(Parts(key=None)) == {"own", "linear.weight", "linear.bias"}


def test_a_key_is_that_of_the_whole_module() -> None:
    one, same, other = (shareable(Parts(key)) for key in ("a", "a", "b"))
    assert one.keys() == same.keys()
    [differs] = one.keys() - other.keys()
    assert one[differs].keys() == {"unit.body.0.weight", "unit.body.0.bias"}


def test_weights_are_named_once() -> None:
    network = GNN().build(GNN().catalogue()["gat"], make_task("nodes").info)
    found = [name for weights in shareable(network).values() for name in weights]
    assert sorted(found) == sorted(network.state_dict())


# -- what is left and found -----------------------------------------------------------------------


def test_a_candidate_starts_from_what_agrees_and_else_afresh(
    tiny_task: Task, starts: list[dict[str, Tensor]]
) -> None:
    evaluator = make(tiny_task)
    first = told(evaluator, CONVS[0])
    left = evaluator.weights_of(CONVS[0]).state_dict()
    [second] = evaluator([CONVS[1]])
    [afresh] = make(tiny_task)([CONVS[1]])
    _, started, fresh = starts
    assert first.metrics["inherited"] == afresh.metrics["inherited"] == 0.0
    assert 0 < second.metrics["inherited"] < 1
    agree = {n for n in started if n in left and torch.equal(started[n], left[n])}
    assert all(agree_or_fresh(started, left, fresh, n) for n in started)
    taken = agree - {n for n in fresh if torch.equal(started[n], fresh[n])}
    assert taken and any(n.endswith("weight") and "classifier" not in n for n in taken)
    shared = sum(started[n].numel() for n in taken)
    assert second.metrics["inherited"] >= shared / sum(v.numel() for v in started.values())


def agree_or_fresh(
    started: dict[str, Tensor], left: dict[str, Tensor], fresh: dict[str, Tensor], name: str
) -> bool:
    same = name in left and torch.equal(started[name], left[name])
    return same or torch.equal(started[name], fresh[name])


def test_batch_norm_starts_afresh(tiny_task: Task, starts: list[dict[str, Tensor]]) -> None:
    evaluator = make(tiny_task)
    told(evaluator, CONVS[0])
    evaluator([CONVS[0]])
    norms = [name for name in starts[1] if name.endswith("running_mean")]
    assert norms
    assert all(not starts[1][name].any() for name in norms)


def test_what_is_only_evaluated_leaves_nothing(tiny_task: Task) -> None:
    evaluator = make(tiny_task)
    first = evaluator([CONVS[0]])
    assert evaluator([CONVS[0]])[0].metrics == first[0].metrics
    told(evaluator, CONVS[0])
    assert evaluator([CONVS[0]])[0].metrics["inherited"] > 0


def test_what_is_observed_later_is_trained_again(tiny_task: Task) -> None:
    """What is left follows from what was observed, in its order, not from when it was trained."""
    states = []
    for before in (True, False):
        evaluator = make(tiny_task)
        if before:
            [measurement] = evaluator([CONVS[1]])
        told(evaluator, CONVS[0])
        evaluator.observe(CONVS[1], measurement)
        states.append(evaluator.state_dict()["store"])
    assert states[0].keys() == states[1].keys()
    for key, kept in states[0].items():
        for name, weights in kept["weights"].items():
            assert torch.equal(weights, states[1][key]["weights"][name])


@pytest.mark.parametrize(("leave", "accuracy"), [("best", 0.9), ("latest", 0.1)])
def test_the_best_or_the_latest_leaves_its_weights(
    tiny_task: Task, leave: str, accuracy: float
) -> None:
    evaluator = make(tiny_task, leave=leave)
    told(evaluator, CONVS[0], accuracy=0.9)
    told(evaluator, CONVS[0], accuracy=0.1)
    assert {kept["score"] for kept in evaluator.state_dict()["store"].values()} == {accuracy}


def test_a_failure_leaves_nothing(tiny_task: Task) -> None:
    evaluator = make(tiny_task)
    evaluator([CONVS[0]])
    evaluator.observe(CONVS[0], Measurement({}, 1.0, "broke"))
    assert evaluator.state_dict()["store"] == {}


def test_the_oldest_weights_go_where_there_are_too_many(
    tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nas.evaluators import weight_inheritance

    evaluator = make(tiny_task, store_megabytes=0)
    told(evaluator, CONVS[0])
    assert evaluator.state_dict()["store"] == {}
    monkeypatch.setattr(weight_inheritance, "_MEGABYTE", 1)
    network = evaluator.weights_of(CONVS[0])
    parts = list(shareable(network).items())
    size = sum(v.numel() * v.element_size() for w in dict(parts[1:]).values() for v in w.values())
    evaluator = make(tiny_task, store_megabytes=size)
    told(evaluator, CONVS[0])
    assert list(evaluator.state_dict()["store"]) == [key for key, _ in parts[1:]]


def test_another_kind_of_leaving_is_refused() -> None:
    with pytest.raises(NasError, match=r"unknown evaluator\.leave 'beste'.*'best'"):
        WeightInheritanceSettings(leave="beste")
    with pytest.raises(NasError, match=r"evaluator\.store_megabytes=-1: expected at least 0"):
        WeightInheritanceSettings(store_megabytes=-1)


# -- weights, state -------------------------------------------------------------------------------


def loss_of(network: nn.Module, task: Task) -> float:
    x, y = next(iter(task.batches("valid", 20)))
    with torch.no_grad():
        return task.loss(network.eval()(x), y).item()


def test_the_weights_of_the_best_are_those_that_were_judged(
    tiny_task: Task, tmp_path: Path
) -> None:
    evaluator = make(tiny_task)
    told(evaluator, CONVS[0])
    best = told(evaluator, CONVS[1], accuracy=0.99)
    last = told(evaluator, ARCHITECTURES[0])
    file = tmp_path / "state.pt"
    save_checkpoint(file, evaluator.state_dict())
    restored = make(tiny_task)
    restored.load_state_dict(load_checkpoint(file) or {})
    for asked, architecture, measurement in [
        (evaluator, ARCHITECTURES[0], last),
        (evaluator, CONVS[1], best),
        (restored, CONVS[1], best),
    ]:
        network = asked.weights_of(architecture)
        assert loss_of(network, tiny_task) == pytest.approx(measurement.metrics["loss"])


def test_halving_and_inheriting_go_on_from_the_record(tiny_task: Task) -> None:
    settings = {"epochs": 4, "halving_eta": 2}
    first, second = make(tiny_task, **settings), make(tiny_task, **settings)
    for architecture in ARCHITECTURES[:3]:
        measurement = told(first, architecture)
        second.observe(architecture, measurement)
    [here], [there] = first(ARCHITECTURES[3:]), second(ARCHITECTURES[3:])
    assert here.metrics == there.metrics
    assert here.metrics["inherited"] > 0


def test_candidates_are_trained_for_half_as_long() -> None:
    assert WeightInheritanceEvaluator.defaults("small")["epochs"] == 5


def test_the_best_are_the_best_by_what_is_searched(tiny_task: Task) -> None:
    context = Context(
        SPACE, tiny_task, network={"channels": 4, "cells": 1}, objective=Objective("-loss")
    )
    evaluator = WeightInheritanceEvaluator(context, make(tiny_task).settings)
    for accuracy, loss in ((0.9, 2.0), (0.1, 1.0)):
        [measurement] = evaluator([CONVS[0]])
        metrics = measurement.metrics | {"accuracy": accuracy, "loss": loss}
        evaluator.observe(CONVS[0], Measurement(metrics))
    assert {kept["score"] for kept in evaluator.state_dict()["store"].values()} == {-1.0}
    assert not evaluator.constant


def test_what_was_kept_before_is_read(tiny_task: Task) -> None:
    evaluator = make(tiny_task)
    told(evaluator, CONVS[0], accuracy=0.9)
    state = evaluator.state_dict()
    for kept in [*state["store"].values(), state["best"]]:
        kept["accuracy"] = kept.pop("score")
    again = make(tiny_task)
    again.load_state_dict(state)
    told(again, CONVS[0], accuracy=0.1)
    assert {kept["score"] for kept in again.state_dict()["store"].values()} == {0.9}
