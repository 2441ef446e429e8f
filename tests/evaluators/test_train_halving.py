"""Candidates whose training is cut short by successive halving."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nas.errors import NasError
from nas.evaluators.evaluator import Context
from nas.evaluators.train import CandidateSettings, TrainEvaluator
from nas.objective import Measurement, Objective
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.settings import fill
from nas.storage.checkpoint import load_checkpoint, save_checkpoint
from nas.task import Task
from nas.training.settings import TrainSettings

SPACE = NASBench201()
ARCHITECTURES = SPACE.sample(np.random.default_rng(0), 4)
QUICK: dict[str, Any] = {"epochs": 4, "batch_size": 10, "drop_path": 0.0, "cutout": 0}


def make(task: Task, **settings: Any) -> TrainEvaluator:
    context = Context(SPACE, task, network={"channels": 4, "cells": 1})
    return TrainEvaluator(context, CandidateSettings(**(QUICK | settings)))


def measured(evaluator: TrainEvaluator, architecture: Any) -> Measurement:
    [measurement] = evaluator([architecture])
    evaluator.observe(architecture, measurement)
    return measurement


def test_without_halving_nothing_is_stopped(tiny_task: Task) -> None:
    evaluator = make(tiny_task)
    assert measured(evaluator, ARCHITECTURES[0]).metrics.keys() == {"accuracy", "loss"}
    assert evaluator.state_dict() == {}


def test_a_candidate_that_is_not_stopped_is_trained_the_same(tiny_task: Task) -> None:
    """Looking at rungs changes nothing."""
    plain = make(tiny_task)([ARCHITECTURES[0]])[0].metrics
    metrics = make(tiny_task, halving_eta=2)([ARCHITECTURES[0]])[0].metrics
    assert {name: metrics[name] for name in plain} == plain
    assert metrics["epochs"] == 4
    assert metrics.keys() == {"accuracy", "loss", "epochs", "accuracy@1", "accuracy@2"}


def better_at(evaluator: TrainEvaluator, epoch: int) -> None:
    """Let others have been perfect at a rung."""
    metrics = {"accuracy": 1.0, "loss": 0.0, "epochs": 4.0, f"accuracy@{epoch}": 1.0}
    evaluator.observe(ARCHITECTURES[3], Measurement(metrics))


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_candidate_among_better_ones_is_stopped_at_the_rung(tiny_task: Task, epoch: int) -> None:
    evaluator = make(tiny_task, halving_eta=2)
    better_at(evaluator, epoch)
    metrics = evaluator([ARCHITECTURES[0]])[0].metrics
    assert metrics["epochs"] == epoch
    assert metrics[f"accuracy@{epoch}"] == metrics["accuracy"] < 1
    assert ("accuracy@2" in metrics) == (epoch == 2)


def test_only_what_is_observed_counts(tiny_task: Task) -> None:
    evaluator = make(tiny_task, halving_eta=2)
    first = [m.metrics for m in evaluator(ARCHITECTURES[:3])]
    assert first == [m.metrics for m in evaluator(ARCHITECTURES[:3])]
    failed = Measurement(error="MemoryError")
    evaluator.observe(ARCHITECTURES[0], failed)
    assert evaluator([ARCHITECTURES[1]])[0].metrics == first[1]


def test_a_restored_state_goes_on_the_same(tiny_task: Task, tmp_path: Path) -> None:
    first = make(tiny_task, halving_eta=2)
    for architecture in ARCHITECTURES[:2]:
        measured(first, architecture)
    save_checkpoint(tmp_path / "state.pt", first.state_dict())
    second = make(tiny_task, halving_eta=2)
    second.load_state_dict(load_checkpoint(tmp_path / "state.pt") or {})
    for architecture in ARCHITECTURES[2:]:
        assert measured(first, architecture).metrics == measured(second, architecture).metrics
    assert first.state_dict() == second.state_dict()


def test_weights_are_those_that_were_judged(tiny_task: Task) -> None:
    """Also where what was observed since would let it be trained for longer, or shorter."""
    evaluator = make(tiny_task, halving_eta=2)
    full = measured(evaluator, ARCHITECTURES[0])
    better_at(evaluator, 1)
    stopped = measured(evaluator, ARCHITECTURES[1])
    assert (full.metrics["epochs"], stopped.metrics["epochs"]) == (4, 1)
    for architecture, measurement in zip(ARCHITECTURES[:2], (full, stopped), strict=True):
        network = evaluator.weights_of(architecture).eval()
        x, y = next(iter(tiny_task.batches("valid", 20)))
        with torch.no_grad():
            output = network(x)
        assert tiny_task.loss(output, y).item() == pytest.approx(measurement.metrics["loss"])


def test_settings_of_training_serve_too(tiny_task: Task) -> None:
    context = Context(SPACE, tiny_task, network={"channels": 4, "cells": 1})
    evaluator = TrainEvaluator(context, TrainSettings(**QUICK))
    assert evaluator.settings == CandidateSettings(**QUICK)
    assert fill(CandidateSettings, {"halving_eta": 3, "epochs": 9}, "evaluator").epochs == 9


@pytest.mark.parametrize(
    ("name", "value"), [("halving_eta", 1), ("halving_eta", -2), ("halving_epochs", 0)]
)
def test_settings_out_of_range_are_refused(name: str, value: int) -> None:
    with pytest.raises(NasError, match=rf"^evaluator\.{name}={value}: expected "):
        CandidateSettings(**{name: value})


@pytest.mark.parametrize(("objective", "goal"), [("-loss", "loss"), ("params", "accuracy")])
def test_candidates_are_compared_by_what_is_searched(
    tiny_task: Task, objective: str, goal: str
) -> None:
    """Or by accuracy, where that is not known before the end of a training."""
    context = Context(
        SPACE, tiny_task, network={"channels": 4, "cells": 1}, objective=Objective(objective)
    )
    evaluator = TrainEvaluator(context, CandidateSettings(**(QUICK | {"halving_eta": 2})))
    metrics = measured(evaluator, ARCHITECTURES[0]).metrics
    assert {f"{goal}@1", f"{goal}@2"} <= metrics.keys()
    sign = -1 if goal == "loss" else 1
    state: Any = evaluator.state_dict()
    assert state["rungs"]["1"] == [sign * metrics[f"{goal}@1"]]
    better = {"accuracy": 1.0, "loss": 0.0, "epochs": 4.0, f"{goal}@1": 1.0 if sign > 0 else 0.0}
    evaluator.observe(ARCHITECTURES[3], Measurement(better))
    assert evaluator([ARCHITECTURES[1]])[0].metrics["epochs"] == 1


def test_a_run_of_before_goes_on_by_accuracy(tiny_task: Task) -> None:
    context = Context(SPACE, tiny_task, objective=Objective("-loss"))
    evaluator = TrainEvaluator(context, CandidateSettings(**(QUICK | {"halving_eta": 2})))
    evaluator.load_state_dict({"rungs": {"1": [0.5], "2": []}, "epochs": []})
    better_at(evaluator, 1)
    assert evaluator.state_dict()["rungs"]["1"] == [0.5, 1.0]
