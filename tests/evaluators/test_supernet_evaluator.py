"""Shared weights: training, statistics of batch norm, scoring, failures, interruptions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from unsound import PartlySound, Raises

from nas.errors import NasError
from nas.evaluators.evaluator import Context
from nas.evaluators.supernet import (
    SupernetEvaluator,
    SupernetSettings,
    leaves_one,
    recalibrate,
    score_path,
)
from nas.mutables import OneOf
from nas.progress import Bar
from nas.search_spaces.module import ModuleSpace
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import SearchSpace
from nas.storage import SavePace
from nas.task import Task

SPACE = NASBench201()
SMALL = {"channels": 4, "cells": 1}
QUICK: dict[str, Any] = {"epochs": 3, "batch_size": 8, "learning_rate": 0.05}


class Interrupted(BaseException):
    """What a test stops a training with."""


class Stopping:
    """Progress that stops a piece of work after some units."""

    def __init__(self, after: int) -> None:
        self.left = after

    @contextmanager
    def bar(self, title: str, total: int, done: int = 0) -> Iterator[Bar]:
        yield self

    def advance(self, **figures: float) -> None:
        self.left -= 1
        if not self.left:
            raise Interrupted

    def note(self, message: str) -> None: ...

    def warn(self, message: str) -> None: ...


def make(
    task: Task, space: SearchSpace = SPACE, options: dict[str, Any] | None = None, **context: Any
) -> SupernetEvaluator:
    """Make an evaluator; settings are those of QUICK unless given by `settings`."""
    settings = SupernetSettings(**(QUICK | context.pop("settings", {})))
    supernet = SMALL if options is None and space is SPACE else options or {}
    return SupernetEvaluator(Context(space, task, supernet=supernet, **context), settings)


def weights(evaluator: SupernetEvaluator) -> dict[str, Tensor]:
    return {name: w.clone() for name, w in evaluator.supernet.state_dict().items()}


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first.keys() | second.keys())


# -- statistics of batch norm ---------------------------------------------------------------------


class Normed(nn.Module):
    """Two layers of batch norm, and what else behaves differently in training."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.BatchNorm1d(3, momentum=0.2)
        self.dropout = nn.Dropout(0.5)
        self.second = nn.BatchNorm1d(3, momentum=None)
        self.plain = nn.BatchNorm1d(3, track_running_stats=False)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.plain(self.second(self.dropout(self.first(x) * 2 + 1)))
        return output


def test_recalibrated_statistics_are_the_averages_over_the_batches() -> None:
    torch.manual_seed(0)
    module = Normed()
    module(torch.randn(50, 3) * 9)  # statistics that must be forgotten
    batches = [torch.randn(16, 3) * 3 + 5 for _ in range(4)]
    recalibrate(module, module, batches)
    means = torch.stack([b.mean(0) for b in batches])
    variances = torch.stack([b.var(0) for b in batches])
    assert module.first.running_mean is not None and module.first.running_var is not None
    assert torch.allclose(module.first.running_mean, means.mean(0), atol=1e-5)
    assert torch.allclose(module.first.running_var, variances.mean(0), atol=1e-5)
    assert module.second.running_mean is not None and module.second.running_var is not None
    assert torch.allclose(module.second.running_mean, torch.ones(3), atol=1e-5)  # no dropout
    assert torch.allclose(module.second.running_var, torch.full((3,), 4.0 * 16 / 15), atol=1e-2)


def test_one_batch_gives_its_own_statistics() -> None:
    module = nn.BatchNorm2d(2)
    x = torch.randn(32, 2, 4, 4) * 2 - 1
    recalibrate(module, module, [x])
    assert module.running_mean is not None and module.running_var is not None
    assert torch.allclose(module.running_mean, x.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(module.running_var, x.transpose(0, 1).flatten(1).var(1), atol=1e-5)


def test_recalibration_changes_nothing_else() -> None:
    module = Normed()
    parameters = {name: p.clone() for name, p in module.named_parameters()}
    recalibrate(module, module, [torch.randn(8, 3)])
    assert (module.first.momentum, module.second.momentum) == (0.2, None)
    assert not any(m.training for m in module.modules())
    for name, p in module.named_parameters():
        assert torch.equal(p, parameters[name]) and p.grad is None


def test_a_candidate_that_raises_leaves_nothing_behind() -> None:
    module = Normed()

    def broken(x: Tensor) -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        recalibrate(module, broken, [torch.randn(8, 3)])
    assert module.first.momentum == 0.2
    assert not module.training


# -- scoring --------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_norm", ["recalibrate", "batch"])
def test_scores_do_not_depend_on_what_was_scored_before(tiny_task: Task, batch_norm: str) -> None:
    evaluator = make(tiny_task, settings={"batch_norm": batch_norm})
    evaluator.prepare()
    architectures = SPACE.sample(np.random.default_rng(1), 6)
    forward = [m.metrics for m in evaluator(architectures)]
    backward = [m.metrics for m in evaluator(architectures[::-1])]
    assert forward == backward[::-1]
    assert evaluator([architectures[3]])[0].metrics == forward[3]


@pytest.mark.parametrize("batch_norm", ["recalibrate", "batch"])
def test_how_many_are_scored_together_changes_nothing(tiny_task: Task, batch_norm: str) -> None:
    architectures = SPACE.sample(np.random.default_rng(1), 5)
    results = []
    for together in (1, 2, 50):
        settings = {"batch_norm": batch_norm, "score_together": together}
        evaluator = make(tiny_task, settings=settings)
        assert evaluator.at_once == together
        results.append([m.metrics for m in evaluator(architectures)])
    assert results[0] == results[1] == results[2]
    assert [evaluator.evaluate(a) for a in architectures] == results[0]


def test_scores_are_those_of_the_paths(tiny_task: Task) -> None:
    evaluator = make(tiny_task)
    architectures = SPACE.sample(np.random.default_rng(1), 5)
    for architecture, measurement in zip(architectures, evaluator(architectures), strict=True):
        path = evaluator.supernet.path(architecture)
        expected = score_path(evaluator.supernet, path, tiny_task, "valid", evaluator.settings)
        assert measurement.metrics["accuracy"] == expected["accuracy"]
        assert measurement.metrics["loss"] == pytest.approx(expected["loss"], abs=1e-5)


def test_a_score_is_what_the_extracted_network_does(tiny_task: Task) -> None:
    evaluator = make(tiny_task)
    evaluator.prepare()
    for architecture in SPACE.sample(np.random.default_rng(2), 3):
        [measurement] = evaluator([architecture])
        network = evaluator.weights_of(architecture).eval()
        x, y = next(iter(tiny_task.batches("valid", 20)))
        with torch.no_grad():
            output = network(x)
        assert measurement.metrics["loss"] == pytest.approx(
            tiny_task.loss(output, y).item(), rel=1e-4
        )
        assert measurement.metrics["accuracy"] == tiny_task.correct(output, y) / 20


def test_kept_weights_are_recalibrated_whatever_scores_them(tiny_task: Task) -> None:
    first, second = (make(tiny_task, settings={"batch_norm": b}) for b in ("recalibrate", "batch"))
    architecture = SPACE.sample(np.random.default_rng(2), 1)[0]
    states = []
    for evaluator in (first, second):
        evaluator.prepare()
        evaluator([architecture])
        states.append(evaluator.weights_of(architecture).state_dict())
    assert equal(*states)


def test_calibration_takes_as_many_examples_as_asked(
    tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    evaluator = make(tiny_task)
    path = evaluator.supernet.path(SPACE.sample(np.random.default_rng(0), 1)[0])

    def count(module: nn.Module, run: Any, batches: Any) -> None:
        seen.append(sum(len(x) for x in batches))

    monkeypatch.setattr("nas.evaluators.scoring.separate.recalibrate", count)
    for calibration, expected in ((1, 8), (8, 8), (9, 16), (1000, 20)):
        settings = SupernetSettings(batch_size=8, calibration=calibration)
        score_path(evaluator.supernet, path, tiny_task, "valid", settings)
        assert seen.pop() == expected


# -- training -------------------------------------------------------------------------------------


def test_training_lowers_the_loss(tiny_task: Task) -> None:
    events: list[dict[str, Any]] = []
    evaluator = make(tiny_task, log=events.append, settings={"epochs": 30})
    evaluator.prepare()
    losses = [event["train_loss"] for event in events]
    assert sum(losses[-5:]) < sum(losses[:5])
    assert [event["epoch"] for event in events] == list(range(1, 31))
    assert {e["phase"] for e in events} == {"supernet"}
    assert not any("failed_steps" in event for event in events)


def test_the_same_seed_trains_the_same_weights(tiny_task: Task) -> None:
    states = []
    for seed in (0, 0, 1):
        torch.manual_seed(len(states))  # what came before must not matter
        evaluator = make(tiny_task, seed=seed)
        evaluator.prepare()
        states.append(weights(evaluator))
    assert equal(states[0], states[1])
    assert not equal(states[0], states[2])


@pytest.mark.parametrize("after", [1, 2])
def test_interrupted_training_goes_on_bit_for_bit(
    tiny_task: Task, tmp_path: Path, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SavePace, "due", lambda pace: True)
    whole = make(tiny_task)
    whole.prepare()
    with pytest.raises(Interrupted):
        make(tiny_task, folder=tmp_path, progress=Stopping(after)).prepare()
    events: list[dict[str, Any]] = []
    resumed = make(tiny_task, folder=tmp_path, log=events.append)
    resumed.prepare()
    assert [event["epoch"] for event in events] == list(range(after + 1, 4))
    assert equal(weights(whole), weights(resumed))
    architectures = SPACE.sample(np.random.default_rng(0), 3)
    first, second = ([m.metrics for m in e(architectures)] for e in (whole, resumed))
    assert first == second


def test_finished_training_is_not_repeated(tiny_task: Task, tmp_path: Path) -> None:
    first = make(tiny_task, folder=tmp_path)
    first.prepare()
    events: list[dict[str, Any]] = []
    second = make(tiny_task, folder=tmp_path, log=events.append)
    second.prepare()
    assert not events
    assert equal(weights(first), weights(second))


def test_a_checkpoint_of_another_supernet_is_refused(tiny_task: Task, tmp_path: Path) -> None:
    make(tiny_task, folder=tmp_path).prepare()
    other = make(tiny_task, options={"channels": 8, "cells": 1}, folder=tmp_path)
    message = r"supernet\.pt is of another search .*delete it to start over"
    with pytest.raises(NasError, match=message):
        other.prepare()


def test_a_damaged_checkpoint_is_refused(tiny_task: Task, tmp_path: Path) -> None:
    make(tiny_task, folder=tmp_path).prepare()
    file = tmp_path / "supernet.pt"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(NasError, match=rf"checkpoint {file} is damaged"):
        make(tiny_task, folder=tmp_path).prepare()


# -- candidates that fail -------------------------------------------------------------------------


class NanGradient(nn.Linear):
    """Finite forward, not backward: sqrt has no slope at 0."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + (x[:, :1] * 0.0 * self.weight.sum()).sqrt()


class Net(PartlySound):
    """A sound candidate beside three that are not."""

    def __init__(self) -> None:
        super().__init__({"slope": NanGradient})


def test_candidates_that_fail_do_not_spoil_the_others(tiny_task: Task) -> None:
    space = ModuleSpace(Net)
    events: list[dict[str, Any]] = []
    evaluator = make(tiny_task, space, log=events.append, settings={"epochs": 10})
    evaluator.prepare()
    assert sum(event.get("failed_steps", 0) for event in events) > 0
    assert any("train_loss" in event for event in events)
    assert all(torch.isfinite(p).all() for p in evaluator.supernet.parameters())
    names = [f"first={a};second={b}" for a in ("raises", "nan", "good") for b in ("relu", "tanh")]
    measured = dict(zip(names, evaluator([space.parse(n) for n in names]), strict=True))
    for name, measurement in measured.items():
        assert measurement.ok == ("good" in name), name
    assert "out of memory" in measured["first=raises;second=relu"].error
    assert "is nan" in measured["first=nan;second=relu"].error


def test_a_supernet_that_cannot_be_trained_at_all_says_why(tiny_task: Task) -> None:
    class Hopeless(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.choice = OneOf({"a": Raises(192, 3), "b": Raises(192, 3)})

        def forward(self, x: Tensor) -> Tensor:
            output: Tensor = self.choice(x.flatten(1))
            return output

    evaluator = make(tiny_task, ModuleSpace(Hopeless), settings={"epochs": 1000})
    message = r"cannot be trained: 50 steps in a row failed; RuntimeError: CUDA out of memory"
    with pytest.raises(NasError, match=message):
        evaluator.prepare()


def test_divergence_names_what_to_lower(tiny_task: Task) -> None:
    evaluator = make(tiny_task, settings={"epochs": 1000})
    with torch.no_grad():
        for p in evaluator.supernet.parameters():
            p.fill_(float("nan"))
    message = r"the loss is nan.*lower evaluator\.learning_rate \(now 0\.05\)"
    with pytest.raises(NasError, match=message):
        evaluator.prepare()


def test_a_last_batch_of_one_example_is_left_out(tiny_task: Task) -> None:
    """Batch norm over vectors has no variance of one example."""
    space = ModuleSpace(Net)
    good = space.parse("first=good;second=relu")
    for batch_norm in ("recalibrate", "batch"):
        settings = {"batch_size": 19, "batch_norm": batch_norm}
        evaluator = make(tiny_task, space, settings=settings)
        assert leaves_one(tiny_task, "train", 19) and leaves_one(tiny_task, "valid", 19)
        evaluator.prepare()
        assert evaluator([good])[0].ok


def test_leaves_one(tiny_task: Task) -> None:
    expected = {1: False, 2: False, 3: False, 6: False, 19: True, 20: False, 21: False}
    assert {size: leaves_one(tiny_task, "train", size) for size in expected} == expected


def test_a_space_without_weights_is_refused(tiny_task: Task) -> None:
    class Bare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.choice = OneOf({"relu": nn.ReLU(), "tanh": nn.Tanh()})

        def forward(self, x: Tensor) -> Tensor:
            output: Tensor = self.choice(x).mean((2, 3))
            return output

    with pytest.raises(NasError, match="'Bare' has no weights"):
        make(tiny_task, ModuleSpace(Bare))


# -- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, 0) for name in ("epochs", "batch_size", "calibration", "learning_rate")),
        ("score_together", 0),
        *((name, -1.0) for name in ("learning_rate", "momentum", "weight_decay", "grad_clip")),
        *((name, float("nan")) for name in ("learning_rate", "momentum", "grad_clip")),
    ],
)
def test_settings_out_of_range_are_refused(name: str, value: Any) -> None:
    with pytest.raises(NasError, match=rf"^evaluator\.{name}={value!r}: expected "):
        SupernetSettings(**{name: value})


def test_an_unknown_way_of_batch_norm_is_refused() -> None:
    with pytest.raises(NasError, match=r"'batc'\. Did you mean 'batch'"):
        SupernetSettings(batch_norm="batc")


def test_defaults_by_scale() -> None:
    assert SupernetEvaluator.defaults("paper") == {}
    small = replace(SupernetSettings(), **SupernetEvaluator.defaults("small"))
    assert small.epochs < SupernetSettings().epochs
