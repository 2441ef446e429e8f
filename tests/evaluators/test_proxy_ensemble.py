"""Ensembles of proxies: a score without a bound, and a result that no other candidate dominates."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import nas
from nas import registry
from nas.evaluators.evaluator import Context, Measurement
from nas.evaluators.proxy import ProxyEvaluator, ProxySettings
from nas.mutables import OneOf
from nas.objective import non_dominated
from nas.run import Run
from nas.search_spaces.module import ModuleSpace
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import Architecture
from nas.storage import load_checkpoint, save_checkpoint
from nas.task import Task

SPACE = NASBench201()
DECISIONS, OPTIONS = 20, 5


class Constant(nn.Module):
    """What an option is worth for two proxies."""

    def __init__(self, worth: tuple[float, float]) -> None:
        super().__init__()
        self.worth = worth
        self.layer = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.layer(x)
        return output


class Toy(nn.Module):
    """5^20 architectures."""

    def __init__(self) -> None:
        super().__init__()
        worth = np.random.default_rng(0).normal(size=(DECISIONS, OPTIONS, 2))
        self.choices = nn.ModuleList(
            OneOf({str(j): Constant(tuple(each)) for j, each in enumerate(row)}, label=f"d{i}")
            for i, row in enumerate(worth.tolist())
        )
        self.head = nn.Linear(192, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        for choice in self.choices:
            x = choice(x)
        output: Tensor = self.head(x)
        return output


def worth(network: nn.Module, which: int) -> float:
    return sum(m.worth[which] for m in network.modules() if isinstance(m, Constant))


def linear(network: nn.Module, x: Tensor, y: Tensor, loss: Any) -> float:
    """Of both signs."""
    return worth(network, 0)


def exponential(network: nn.Module, x: Tensor, y: Tensor, loss: Any) -> float:
    """Over many orders of magnitude."""
    return math.exp(3 * worth(network, 1))


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> ModuleSpace:
    """A space of 5^20 whose networks two proxies know of."""
    entries = {
        function.__name__: registry.Entry(function.__name__, function, "of a test")
        for function in (linear, exponential)
    }
    registry.names("proxies")  # so that those of `nas` are there
    known = registry._entries["proxies"]
    monkeypatch.setitem(registry._entries, "proxies", known | entries)
    return ModuleSpace(Toy)


def make(task: Task, folder: Path | None = None, **settings: Any) -> ProxyEvaluator:
    chosen: dict[str, Any] = {"score": "params+snip", "batch_size": 4, "reference": 12}
    context = Context(SPACE, task, network={"channels": 4, "cells": 1}, folder=folder)
    return ProxyEvaluator(context, ProxySettings(**(chosen | settings)))


def require_no_ties(measurements: list[Measurement], names: tuple[str, str]) -> None:
    """Assert that equal scores are of equal values only."""
    metrics = [m.metrics for m in measurements if m.ok]
    different = {tuple(m[name] for name in names) for m in metrics}
    assert len({m["score"] for m in metrics}) == len(different) > 10


def require_not_dominated(run: Run, names: tuple[str, str]) -> None:
    found = [t for t in run.trials() if t.measurement.ok]
    front = non_dominated(np.array([[t.measurement.metrics[n] for n in names] for t in found]))
    best = [t.architecture for t, there in zip(found, front, strict=True) if there]
    assert run.best.architecture in best


def test_a_search_of_a_large_space_climbs_beyond_the_reference(
    toy: ModuleSpace, tiny_task: Task, tmp_path: Path, no_report: None
) -> None:
    """By shares of the reference most of its architectures were equal, the best one among them."""
    names = ("linear", "exponential")
    run = nas.search(
        toy, "evolution", tiny_task, evaluator="proxy:linear+exponential", evaluations=200,
        out=tmp_path / "run", settings={"evaluator": {"reference": 32}},
    )  # fmt: skip
    measurements = [trial.measurement for trial in run.trials()]
    require_no_ties(measurements, names)
    require_not_dominated(run, names)
    beyond = NormalDist().inv_cdf(1 - 0.5 / 32)
    assert sum(m.metrics["score"] > beyond for m in measurements) > 20
    late = [m.metrics["score"] for m in measurements[-30:]]
    assert np.mean(late) > np.quantile([m.metrics["score"] for m in measurements], 0.6)


def test_a_search_of_nas_bench_201_returns_what_none_dominates(
    tiny_npz: Path, tmp_path: Path, no_report: None
) -> None:
    run = nas.search(
        "nas-bench-201", "evolution", f"npz:{tiny_npz}", evaluator="proxy:gradsign+synflow",
        evaluations=40, device="cpu", out=tmp_path / "run",
        settings={
            "evaluator": {"reference": 6, "batch_size": 4, "inputs": "gaussian"},
            "network": {"channels": 4, "cells": 1},
            "strategy": {"population": 10, "tournament": 5},
        },
    )  # fmt: skip
    names = ("gradsign", "synflow")
    measurements = [trial.measurement for trial in run.trials()]
    require_no_ties(measurements, names)
    require_not_dominated(run, names)
    assert max(m.metrics["score"] for m in measurements) > NormalDist().inv_cdf(1 - 0.5 / 6)


def measured(*values: tuple[float, float], score: float | None = None) -> list[Measurement]:
    return [
        Measurement({"params": a, "snip": b, "score": a + b if score is None else score})
        for a, b in values
    ]


def test_the_final_pick_ranks_all_that_were_evaluated(tiny_task: Task) -> None:
    evaluator = make(tiny_task)
    failed = Measurement({}, 0.0, "no memory")
    low, high, mixed, broken = *measured((1, 1), (5, 8), (9, 2)), failed
    found = evaluator.final_scores([low, broken, high, mixed])
    assert found is not None and found[1] == -math.inf
    assert found[2] > found[3] > found[0]  # ranks 1 + 2, 2 + 1 tie: by the score 13, 11
    assert evaluator.final_scores([]) == []
    assert evaluator.final_scores([failed]) == [-math.inf]


def test_the_final_pick_is_never_dominated(tiny_task: Task) -> None:
    evaluator, rng = make(tiny_task), np.random.default_rng(0)
    for _ in range(50):
        values = rng.integers(0, 6, (20, 2)).astype(float)
        found = evaluator.final_scores(measured(*values, score=0.0))
        assert found is not None
        assert non_dominated(values)[int(np.argmax(found))]
        for i in range(20):
            beaten = (values <= values[i]).all(1) & (values < values[i]).any(1)
            assert all(found[j] < found[i] for j in np.flatnonzero(beaten))
            same = (values == values[i]).all(1)
            assert all(found[j] == found[i] for j in np.flatnonzero(same))


def test_what_lacks_the_proxies_is_like_a_failure(tiny_task: Task) -> None:
    """A limit may be broken before the proxies are asked."""
    found = make(tiny_task).final_scores([Measurement({"latency": 9.0}), *measured((1, 1))])
    assert found == [-math.inf, 0.0]


def test_a_single_proxy_is_its_own_final_score(tiny_task: Task) -> None:
    assert make(tiny_task, score="snip").final_scores(measured((1, 1))) is None


def scores(evaluator: ProxyEvaluator, architectures: list[Architecture]) -> list[float]:
    return [m.metrics["score"] for m in evaluator(architectures)]


def test_an_old_search_goes_on_with_the_score_that_it_began_with(
    tiny_task: Task, tmp_path: Path
) -> None:
    """What it had recorded are shares of the reference; its file does not say so."""
    architectures = SPACE.sample(np.random.default_rng(5), 6)
    new = make(tiny_task, tmp_path)
    quantiles = scores(new, architectures)
    assert scores(make(tiny_task, tmp_path), architectures) == quantiles
    state = load_checkpoint(tmp_path / "proxy.pt")
    assert state is not None
    del state["score"]
    save_checkpoint(tmp_path / "proxy.pt", state)
    shares = scores(make(tiny_task, tmp_path), architectures)
    for architecture, share in zip(architectures, shares, strict=True):
        metrics = new([architecture])[0].metrics
        each = [
            np.mean(np.array(state["reference"][n]) < metrics[n])
            + np.mean(np.array(state["reference"][n]) == metrics[n]) / 2
            for n in ("params", "snip")
        ]
        assert share == pytest.approx(np.mean(each)) and 0 <= share <= 1
    assert shares != quantiles


def test_a_proxy_that_is_not_finite_is_no_part_of_the_reference(
    tiny_task: Task, toy: ModuleSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = iter([math.inf, math.nan, *range(100)])
    context = Context(toy, tiny_task)
    evaluator = ProxyEvaluator(context, ProxySettings("linear+exponential", 4, reference=8))
    evaluator.proxies["linear"] = lambda *_: float(next(values))
    evaluator.prepare()
    assert evaluator._reference["linear"].values == [0, 1, 2, 3, 4, 5]
    evaluator.proxies["linear"] = lambda *_: math.inf
    torch.manual_seed(0)
    [measurement] = evaluator(toy.sample(np.random.default_rng(1), 1))
    assert measurement.error == "NasError: linear is inf"
