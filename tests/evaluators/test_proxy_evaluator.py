"""Candidates scored untrained: single proxies, ensembles, inputs, failures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas import registry
from nas.errors import NasError
from nas.evaluators.evaluator import Context
from nas.evaluators.proxy import ProxyEvaluator, ProxySettings
from nas.mutables import OneOf
from nas.search_spaces.module import ModuleSpace
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import SearchSpace
from nas.task import Task

SPACE = NASBench201()
ARCHITECTURES = SPACE.sample(np.random.default_rng(0), 4)


def make(
    task: Task,
    space: SearchSpace = SPACE,
    seed: int = 0,
    folder: Path | None = None,
    **settings: Any,
) -> ProxyEvaluator:
    chosen = ProxySettings(**({"score": "params", "batch_size": 4, "reference": 6} | settings))
    network = {"channels": 4, "cells": 1} if space is SPACE else {}
    return ProxyEvaluator(Context(space, task, seed, network=network, folder=folder), chosen)


def test_one_proxy_is_its_own_score(tiny_task: Task) -> None:
    evaluator = make(tiny_task, score="snip")
    [measurement] = evaluator(ARCHITECTURES[:1])
    assert measurement.metrics.keys() == {"score", "snip"}
    assert measurement.metrics["score"] == measurement.metrics["snip"] > 0


def test_an_ensemble_is_the_mean_of_quantiles_in_the_reference(tiny_task: Task) -> None:
    evaluator = make(tiny_task, score="params+snip")
    evaluator.prepare()
    reference = {name: evaluator._reference[name] for name in ("params", "snip")}
    assert [len(found.values) for found in reference.values()] == [6, 6]
    for measurement in evaluator(ARCHITECTURES):
        metrics = measurement.metrics
        assert metrics.keys() == {"score", "params", "snip"}
        quantiles = [found.quantile(metrics[name]) for name, found in reference.items()]
        assert metrics["score"] == pytest.approx(np.mean(quantiles))


def test_what_else_is_evaluated_does_not_matter(tiny_task: Task) -> None:
    forward = [m.metrics for m in make(tiny_task, score="params+snip")(ARCHITECTURES)]
    backward = [m.metrics for m in make(tiny_task, score="params+snip")(ARCHITECTURES[::-1])]
    assert forward == backward[::-1]


def test_values_are_those_of_the_built_network(tiny_task: Task) -> None:
    [measurement] = make(tiny_task)(ARCHITECTURES[:1])
    network = SPACE.build(ARCHITECTURES[0], tiny_task.info, channels=4, cells=1)
    assert measurement.metrics["params"] == sum(p.numel() for p in network.parameters())


def test_seeds(tiny_task: Task) -> None:
    """The evaluator's own takes the place of the search's."""

    def scored(**settings: Any) -> dict[str, float]:
        return make(tiny_task, score="snip", **settings)(ARCHITECTURES[:1])[0].metrics

    assert scored() == scored(seed=0)
    assert scored() != scored(seed=1)
    context = Context(SPACE, tiny_task, 5, network={"channels": 4, "cells": 1})
    chosen = ProxySettings(score="snip", batch_size=4, seed=0)
    assert ProxyEvaluator(context, chosen)(ARCHITECTURES[:1])[0].metrics == scored()


def test_gaussian_inputs_need_no_data(tiny_task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    with_data = make(tiny_task, score="snip")(ARCHITECTURES[:1])[0].metrics
    monkeypatch.setattr(Task, "batches", None)
    noise = make(tiny_task, score="snip", inputs="gaussian")
    assert noise(ARCHITECTURES[:1])[0].metrics != with_data
    x, y = noise._examples()
    assert x.shape == (4, 3, 8, 8) and y.shape == (4,)
    assert 0 <= int(y.min()) <= int(y.max()) < 3


def test_data_are_of_the_train_split(tiny_task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    batches = Task.batches

    def watched(self: Task, split: str, *arguments: Any, **settings: Any) -> Any:
        seen.append(split)
        return batches(self, split, *arguments, **settings)

    monkeypatch.setattr(Task, "batches", watched)
    make(tiny_task, score="snip")(ARCHITECTURES)
    assert seen == ["train"]


def test_the_reference_is_scored_once_a_run(tiny_task: Task, tmp_path: Path) -> None:
    first = make(tiny_task, score="params+snip", folder=tmp_path)
    first.prepare()
    second = make(tiny_task, score="params+snip", folder=tmp_path)
    second._values = None  # type: ignore[assignment, method-assign]
    second.prepare()
    for name in ("params", "snip"):
        assert first._reference[name].values == second._reference[name].values
    other = make(tiny_task, score="params+flops", folder=tmp_path)
    with pytest.raises(NasError, match=r"proxy\.pt is of another search"):
        other.prepare()


class Raises(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError("no memory")


class NotANumber(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * float("nan")


def module_space(**kinds: type[nn.Linear]) -> ModuleSpace:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            options = {name: kind(192, 3) for name, kind in kinds.items()}
            self.choice = OneOf(options, label="x")

        def forward(self, x: Tensor) -> Tensor:
            output: Tensor = self.choice(x.flatten(1))
            return output

    return ModuleSpace(Net)


def test_candidates_that_fail_are_failed_measurements(tiny_task: Task) -> None:
    space = module_space(good=nn.Linear, raises=Raises, nan=NotANumber)
    evaluator = make(tiny_task, space, score="snip+grad_norm", reference=20)
    evaluator.prepare()
    texts = ("x=raises", "x=nan", "x=good")
    raised, nan, good = evaluator([space.parse(text) for text in texts])
    assert "no memory" in raised.error
    assert nan.error == "NasError: snip is nan"
    assert good.ok and good.metrics["score"] == 0.0  # the median: nothing else could be scored


def test_a_space_where_nothing_can_be_scored_says_why(tiny_task: Task) -> None:
    space = module_space(bad=Raises)
    with pytest.raises(NasError, match="none of 1 architectures could be scored: no memory"):
        make(tiny_task, space, score="snip+params").prepare()


def test_a_network_without_gradients_of_its_own_is_scored(tiny_task: Task) -> None:
    with torch.no_grad():
        assert make(tiny_task, score="snip")(ARCHITECTURES[:1])[0].ok


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"score": "gradsin"}, r"unknown proxy 'gradsin'\. Did you mean 'gradsign'"),
        ({"score": "snip+snip"}, "the same proxy twice"),
        ({"inputs": "noise"}, r"evaluator\.inputs 'noise'"),
        ({"batch_size": 1}, r"evaluator\.batch_size=1: expected at least 2"),
        ({"reference": 1}, r"evaluator\.reference=1: expected at least 2"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(NasError, match=message):
        ProxySettings(**settings)


def test_registered() -> None:
    assert registry.get("evaluators", "proxy").factory is ProxyEvaluator
    assert ProxyEvaluator.default_objective == "score"
