"""Every kind of task passes through training, supernets, gates, scoring and proxies."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import make_task, text_task
from torch import Tensor, nn

from nas import registry
from nas.costs.measure import latency, measure
from nas.errors import NasError
from nas.evaluators.evaluator import Context
from nas.evaluators.proxy import ProxyEvaluator, ProxySettings
from nas.export import export
from nas.mutables import OneOf
from nas.run import Run
from nas.search import search
from nas.search_spaces.module import ModuleSpace
from nas.task import TaskInfo
from nas.task.graph import Graph
from nas.task.info import KINDS
from nas.training.evaluate import evaluate
from nas.training.fit import fit
from nas.training.settings import TrainSettings

WIDTH = 8


def choice() -> OneOf:
    return OneOf(
        {"linear": nn.Linear(WIDTH, WIDTH), "relu": nn.ReLU(), "none": nn.Identity()}, "op"
    )


class Sum(nn.Module):
    """Adds up the features of the nodes that have an edge to each."""

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        return x + torch.zeros_like(x).index_add_(0, edges[1], x[edges[0]])


class Net(nn.Module):
    """A network for whatever kind of task."""

    def __init__(self, task: TaskInfo) -> None:
        super().__init__()
        self.kind = task.kind
        width = task.input_shape[-1] if task.kind != "tokens" else WIDTH
        self.embedding = nn.Embedding(max(1, task.vocabulary), WIDTH)
        self.first = nn.Linear(width, WIDTH)
        self.sum = Sum()
        self.choice = choice()
        self.norm = nn.BatchNorm1d(WIDTH)
        self.last = nn.Linear(WIDTH, task.outputs)

    def forward(self, x: Any) -> Tensor:
        if not isinstance(x, Graph):
            h = self.embedding(x) if self.kind == "tokens" else self.first(x)
            h = self.choice(h)
            return self.last(h.mean(1) if self.kind == "sequence" else h)
        h = self.norm(self.choice(self.sum(self.first(x.features), x.edges)))
        if x.index is not None:
            return self.last(h[x.index])
        assert x.batch is not None
        return self.last(h.new_zeros(len(x), WIDTH).index_add_(0, x.batch, h))


ALL = [*KINDS, "sampled"]
SMALL: dict[str, dict[str, Any]] = {
    "evaluator": {"epochs": 1, "batch_size": 16, "calibration": 32},
    "strategy": {},
}


def find(kind: str, folder: Path, strategy: str, **settings: Any) -> Run:
    groups = {"strategy": settings, "evaluator": {}}
    if strategy == "random":
        groups = {"evaluator": {"epochs": 1, "batch_size": 16, "calibration": 32} | settings}
    budget = {"evaluations": 3} if strategy == "random" else {}
    return search(
        ModuleSpace(Net), strategy, make_task(kind), device="cpu", out=folder / "run",
        settings=groups, **budget,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ALL)
def test_costs_are_those_of_one_example(kind: str) -> None:
    info, space = make_task(kind).info, ModuleSpace(Net)
    network = space.build(space.parse("op=relu"), info)
    flops = measure(network, info)["flops"]
    assert flops > 0 and latency(network, info, repeats=1) > 0
    if info.kind == "nodes":  # of one node
        assert flops == info.input_shape[0] * WIDTH + WIDTH * info.outputs


@pytest.mark.parametrize("kind", ALL)
def test_a_network_is_trained(kind: str) -> None:
    torch.manual_seed(0)
    task = make_task(kind)
    space = ModuleSpace(Net)
    network = space.build(space.parse("op=relu"), task.info)
    before = evaluate(network, task, "train", batch_size=7)
    recipe = TrainSettings(epochs=4, batch_size=16, learning_rate=0.1, drop_path=0.0, cutout=0)
    result = fit(network, task, recipe, split="train", evaluate_on="valid")
    assert evaluate(network, task, "train")["loss"] < before["loss"]
    assert 0 <= result.metrics["accuracy"] <= 1


@pytest.mark.parametrize("kind", ALL)
def test_a_supernet_is_trained_and_scored(kind: str, tmp_path: Path) -> None:
    run = find(kind, tmp_path, "random")
    assert all(trial.measurement.ok for trial in run.trials())
    assert run.info == make_task(kind).info  # as it is read from the run's folder


@pytest.mark.parametrize("kind", ALL)
def test_gates_are_trained(kind: str, tmp_path: Path) -> None:
    run = find(kind, tmp_path, "darts", epochs=2, batch_size=16, warm_up=0.0)
    assert run.best.metrics["loss"] > 0


REFUSED = {"tokens": {"jacob_cov", "zen"}, "graphs": {"jacob_cov", "naswot"}}
"""Proxies that do not apply."""
SINGULAR = {"ntk", "naswot"}  # for some few examples


@pytest.mark.parametrize("inputs", ["data", "gaussian"])
@pytest.mark.parametrize("kind", ["nodes", "tokens", "table", "sequence", "graphs"])
def test_proxies(kind: str, inputs: str) -> None:
    task, space = make_task(kind), ModuleSpace(Net)
    for proxy in registry.names("proxies"):
        settings = ProxySettings(score=proxy, batch_size=4, inputs=inputs)
        evaluator = ProxyEvaluator(Context(space, task, 0, {}, {}), settings)
        [measurement] = evaluator([space.parse("op=relu")])
        if proxy in REFUSED.get(kind, ()):
            assert "NasError" in measurement.error
        elif proxy not in SINGULAR or measurement.ok:
            assert measurement.ok, (proxy, measurement.error)
            assert math.isfinite(measurement.metrics["score"])


@pytest.mark.parametrize("to", ["torch", "onnx", "python"])
@pytest.mark.parametrize("kind", KINDS)
def test_export(kind: str, to: str, tmp_path: Path) -> None:
    info, space = make_task(kind).info, ModuleSpace(Net)
    network = space.build(space.parse("op=relu"), info)
    if kind == "graphs" and to == "torch":  # for `len(x)`, a number that cannot be traced
        with pytest.raises(NasError, match=r"torch\.export cannot trace the network: ."):
            export(network, info, to, tmp_path / "network.pt2")
    elif kind in ("nodes", "graphs") and to == "python":
        path = export(network, info, to, tmp_path / "network.py")
        assert "def forward(\n        self, features: Tensor, edges: Tensor" in path.read_text()
    elif to == "torch":
        assert export(network, info, to, tmp_path / "network.pt2").exists()


@pytest.mark.parametrize("kind", ALL)
def test_a_description_has_the_shapes(kind: str) -> None:
    task = make_task(kind)
    described = json.dumps(task.describe())
    assert TaskInfo.from_json(described) == task.info


def test_losses_and_right_predictions_are_of_tokens() -> None:
    task = text_task()
    (x, y), *_ = task.batches("valid", 5)
    assert x.shape == y.shape == (5, 8) and torch.equal(x[:, 1:], y[:, :-1])
    logits = torch.zeros(5, 8, 256).scatter_(2, y[..., None], 50.0)
    assert task.correct(logits, y) == 40
    assert task.loss(logits, y).item() == pytest.approx(0, abs=1e-6)
    assert task.loss(torch.zeros(5, 8, 256), y).item() == pytest.approx(torch.tensor(256.0).log())


def test_a_scalar_beside_the_logits_is_added_to_the_loss() -> None:
    task = text_task()
    y = torch.zeros(2, 8, dtype=torch.int64)
    logits = torch.zeros(2, 8, 256)
    alone = task.loss(logits, y)
    assert task.loss((logits, torch.tensor(0.25)), y) == alone + 0.25


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(NasError, match="kind"):
        TaskInfo((3,), 2, kind="nodse")
