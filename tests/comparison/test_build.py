"""Tables made by training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.benchmarks.home import open_benchmark
from nas.comparison.build import build
from nas.errors import NasError
from nas.evaluators.train import TrainEvaluator
from nas.progress import Silent
from nas.task import Task

SETTINGS = {"evaluator": {"epochs": 1, "batch_size": 20}, "network": {"channels": 2, "cells": 1}}


def make(task: Task, **options: Any) -> Path:
    given: dict[str, Any] = {
        "evaluations": 3, "seeds": 2, "name": "mine", "device": "cpu", "out": "out",
        "settings": SETTINGS, "progress": Silent(),
    }  # fmt: skip
    return build("nas-bench-201", task, **(given | options))


def test_a_table_of_trainings(tiny_task: Task, empty_home: Path) -> None:
    path = make(tiny_task)
    benchmark = open_benchmark("mine:tiny")
    table = benchmark.table
    assert path == empty_home / "mine.table" and len(table) == 3
    assert benchmark.describe() == [
        "searched on: valid accuracy on tiny, 1 epochs, mean of 2 seeds",
        "reported: test accuracy on tiny, 1 epochs, mean of 2 seeds",
        "reported: test loss on tiny, 1 epochs, mean of 2 seeds",
    ]
    lines = [json.loads(line) for line in Path("out/trainings.jsonl").read_text().splitlines()]
    assert len(lines) == 6
    for row in range(3):
        choices = list(table.architecture(row).choices)
        mine = [line for line in lines if line["choices"] == choices]
        values = table.column("tiny/valid_accuracy@1")[row]
        assert values.tolist() == pytest.approx([x["metrics"]["valid_accuracy"] for x in mine])
        seconds = table.column("tiny/train_seconds@1")[row]
        assert seconds.tolist() == pytest.approx([x["seconds"] for x in mine]) and min(seconds) > 0
    losses = table.column("tiny/valid_loss@1")
    assert (losses[:, 0] != losses[:, 1]).any()  # two trainings, not one twice
    measured = benchmark.measure(table.architecture(0))
    assert measured.metrics["params"] > 0 and measured.metrics["test_accuracy"] >= 0
    assert table.facts["network"]["channels"] == 2


def test_it_continues_and_grows(
    tiny_task: Task, empty_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tiny_task, seeds=1)
    before = np.array(open_benchmark("mine").table.choices)
    trained: list[Any] = []
    original = TrainEvaluator.evaluate

    def counted(self: TrainEvaluator, architecture: Any) -> Any:
        trained.append(architecture)
        return original(self, architecture)

    monkeypatch.setattr(TrainEvaluator, "evaluate", counted)
    make(tiny_task, seeds=1)
    assert not trained
    make(tiny_task, seeds=1, evaluations=4, force=True)
    assert len(trained) == 1
    assert np.array_equal(open_benchmark("mine").table.choices[:3], before)


def test_failures_have_no_numbers(
    tiny_task: Task, empty_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, calls = TrainEvaluator.evaluate, 0

    def sometimes(self: TrainEvaluator, architecture: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise ValueError("diverged")
        return original(self, architecture)

    monkeypatch.setattr(TrainEvaluator, "evaluate", sometimes)
    make(tiny_task, seeds=1)
    values = open_benchmark("mine").values("accuracy")
    assert np.isnan(values).tolist() == [False, True, False]
    monkeypatch.setattr(TrainEvaluator, "evaluate", lambda *_: 1 / 0)
    with pytest.raises(NasError, match="none of 1 trainings came to an end: ZeroDivisionError"):
        make(tiny_task, seeds=1, evaluations=1, out="none", name="none")
    assert not (empty_home / "none.table").exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"seeds": 0}, "at least 1"),
        ({"evaluations": 0}, "at least 1"),
        ({"scale": "tiny"}, "unknown scale"),
        ({"settings": {"supernet": {}}}, "unknown group of settings 'supernet'"),
        ({"settings": {"evaluator": {"epoch": 1}}}, "Did you mean 'epochs'"),
        ({"settings": {"evaluator": {"halving_eta": 3}}}, "have the same epochs"),
        ({"name": "a/b"}, "no name for a table"),
    ],
)
def test_mistakes(tiny_task: Task, empty_home: Path, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(NasError, match=reason):
        make(tiny_task, **options)
    assert not Path("out").exists()


def test_other_trainings_are_not_mixed(tiny_task: Task, empty_home: Path) -> None:
    make(tiny_task, seeds=1, evaluations=1)
    other = {**SETTINGS, "network": {"channels": 3, "cells": 1}}
    with pytest.raises(NasError, match="network="):
        make(tiny_task, seeds=1, evaluations=1, settings=other)
