"""Candidates trained from scratch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.errors import NasError
from nas.evaluators.evaluator import Context
from nas.evaluators.train import TrainEvaluator
from nas.mutables import OneOf
from nas.search_spaces.module import ModuleSpace
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import SearchSpace
from nas.task import Task
from nas.training.settings import TrainSettings

SPACE = NASBench201()
ARCHITECTURES = SPACE.sample(np.random.default_rng(0), 3)


def make(task: Task, space: SearchSpace = SPACE, **settings: Any) -> TrainEvaluator:
    chosen = {"epochs": 2, "batch_size": 8, "drop_path": 0.0, "cutout": 0} | settings
    network = {"channels": 4, "cells": 1} if space is SPACE else {}
    return TrainEvaluator(Context(space, task, network=network), TrainSettings(**chosen))


def test_the_order_does_not_matter(tiny_task: Task) -> None:
    forward = [m.metrics for m in make(tiny_task)(ARCHITECTURES)]
    backward = [m.metrics for m in make(tiny_task)(ARCHITECTURES[::-1])]
    assert forward == backward[::-1]
    assert forward[0].keys() == {"accuracy", "loss"}


def test_the_weights_are_those_that_were_judged(tiny_task: Task) -> None:
    """Also where others were judged in between, or in another process."""
    evaluator = make(tiny_task)
    first, _, last = evaluator(ARCHITECTURES)
    for asked, architecture, measurement in [
        (evaluator, ARCHITECTURES[2], last),
        (evaluator, ARCHITECTURES[0], first),
        (make(tiny_task), ARCHITECTURES[0], first),
    ]:
        network = asked.weights_of(architecture).eval()
        x, y = next(iter(tiny_task.batches("valid", 20)))
        with torch.no_grad():
            output = network(x)
        assert tiny_task.loss(output, y).item() == pytest.approx(measurement.metrics["loss"])


class Raises(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError("out of memory")


class NotANumber(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * float("nan")


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        kinds = {"good": nn.Linear, "raises": Raises, "nan": NotANumber}
        self.choice = OneOf({name: kind(192, 3) for name, kind in kinds.items()}, label="x")

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.choice(x.flatten(1))
        return output


def test_candidates_that_fail_are_failed_measurements(tiny_task: Task) -> None:
    space = ModuleSpace(Net)
    texts = ("x=raises", "x=nan", "x=good")
    raised, nan, good = make(tiny_task, space)([space.parse(text) for text in texts])
    assert "out of memory" in raised.error
    assert "nan" in nan.error
    assert good.ok


def test_weights_of_a_failure_are_not_those_of_another(tiny_task: Task) -> None:
    space = ModuleSpace(Net)
    evaluator = make(tiny_task, space)
    evaluator([space.parse("x=good")])
    with pytest.raises(NasError, match=r"could not be trained again: .*out of memory"):
        evaluator.weights_of(space.parse("x=raises"))


def test_only_the_weights_half_is_trained_on(
    tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = set()
    batches = Task.batches

    def watched(self: Task, split: str, *arguments: Any, **settings: Any) -> Any:
        seen.add((split, settings.get("seed") is not None))
        return batches(self, split, *arguments, **settings)

    monkeypatch.setattr(Task, "batches", watched)
    assert make(tiny_task)(ARCHITECTURES[:1])[0].ok
    assert seen == {("train", True), ("valid", False)}


def test_defaults_are_few_epochs() -> None:
    for scale in ("small", "paper"):
        assert TrainSettings(**TrainEvaluator.defaults(scale)).epochs <= 12
