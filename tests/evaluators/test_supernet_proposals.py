"""A supernet that is trained on what the strategy proposes (ENAS)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nas.errors import NasError
from nas.evaluators.evaluator import Context
from nas.evaluators.supernet import SupernetEvaluator, SupernetSettings
from nas.objective import Measurement
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import Architecture
from nas.storage.checkpoint import load_checkpoint, save_checkpoint
from nas.task import Task

SPACE = NASBench201()
ARCHITECTURES = SPACE.sample(np.random.default_rng(0), 12)
PROPOSALS: dict[str, Any] = {
    "train_on": "proposals", "epochs": 4, "warmup_epochs": 1, "proposals_per_epoch": 3,
    "batch_size": 8, "learning_rate": 0.05,
}  # fmt: skip
OK = Measurement({"accuracy": 0.5, "loss": 1.0})


def make(
    task: Task, folder: Path | None = None, log: Any = lambda event: None, **settings: Any
) -> SupernetEvaluator:
    context = Context(SPACE, task, supernet={"channels": 4, "cells": 1}, folder=folder, log=log)
    return SupernetEvaluator(context, SupernetSettings(**(PROPOSALS | settings)))


def weights(evaluator: SupernetEvaluator) -> list[Tensor]:
    return [p.detach().clone() for p in evaluator.supernet.parameters()]


def equal(first: list[Tensor], second: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def drawn(evaluator: SupernetEvaluator, monkeypatch: pytest.MonkeyPatch) -> list[Architecture]:
    """Return a list to which every architecture that is trained from now on is added."""
    trained: list[Any] = []
    path = evaluator.supernet.path

    def watched(architecture: Architecture) -> Any:
        trained.append(architecture)
        return path(architecture)

    monkeypatch.setattr(evaluator.supernet, "path", watched)
    return trained


def test_only_the_warm_up_comes_before_the_search(tiny_task: Task) -> None:
    events: list[dict[str, Any]] = []
    evaluator = make(tiny_task, log=events.append)
    evaluator.prepare()
    assert [event["epoch"] for event in events] == [1]
    unprepared = make(tiny_task, warmup_epochs=0)
    before = weights(unprepared)
    unprepared.prepare()
    assert equal(before, weights(unprepared))


def test_an_epoch_follows_on_enough_proposals_until_there_were_all(tiny_task: Task) -> None:
    events: list[dict[str, Any]] = []
    evaluator = make(tiny_task, log=events.append)
    evaluator.prepare()
    done = []
    for architecture in ARCHITECTURES:
        before = weights(evaluator)
        evaluator.observe(architecture, OK)
        done.append(not equal(before, weights(evaluator)))
    assert done == [False, False, True] * 3 + [False] * 3
    assert [event["epoch"] for event in events] == [1, 2, 3, 4]


def test_the_paths_are_the_last_proposals(tiny_task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluator = make(tiny_task)
    evaluator.prepare()
    trained = drawn(evaluator, monkeypatch)
    for start in (0, 3):
        for architecture in ARCHITECTURES[start : start + 3]:
            evaluator.observe(architecture, OK)
        assert len(trained) == 3  # steps
        assert set(trained) <= set(ARCHITECTURES[start : start + 3])
        trained.clear()


def test_proposals_that_failed_are_not_trained(
    tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any other, paths are drawn uniformly."""
    failed = Measurement(error="MemoryError")
    evaluator = make(tiny_task)
    trained = drawn(evaluator, monkeypatch)
    for architecture, measurement in zip(ARCHITECTURES, (failed, OK, failed), strict=False):
        evaluator.observe(architecture, measurement)
    assert set(trained) == {ARCHITECTURES[1]}
    trained.clear()
    for architecture in ARCHITECTURES[:3]:
        evaluator.observe(architecture, failed)
    assert len(trained) == 3 and not set(trained) & set(ARCHITECTURES[:3])


@pytest.mark.parametrize("at", range(9))
def test_a_search_killed_at_any_point_goes_on_bit_for_bit(
    tiny_task: Task, tmp_path: Path, at: int
) -> None:
    whole = make(tiny_task, folder=tmp_path)
    whole.prepare()
    for architecture in ARCHITECTURES[:at]:
        whole.observe(architecture, OK)
    save_checkpoint(tmp_path / "search.pt", whole.state_dict())
    resumed = make(tiny_task, folder=tmp_path)
    resumed.prepare()
    resumed.load_state_dict(load_checkpoint(tmp_path / "search.pt") or {})
    for evaluator in (whole, resumed):
        for architecture in ARCHITECTURES[at:8]:
            evaluator.observe(architecture, OK)
    assert equal(weights(whole), weights(resumed))
    scores = [[m.metrics for m in e(ARCHITECTURES[8:10])] for e in (whole, resumed)]
    assert scores[0] == scores[1]
    assert whole.at_once == resumed.at_once


def test_what_is_evaluated_in_between_changes_nothing(tiny_task: Task) -> None:
    first, second = make(tiny_task), make(tiny_task)
    for architecture in ARCHITECTURES[:7]:
        second([architecture])
        for evaluator in (first, second):
            evaluator.observe(architecture, OK)
    assert equal(weights(first), weights(second))


def test_no_group_spans_an_epoch(tiny_task: Task) -> None:
    """As the weights that score an architecture must not depend on how many are scored at once."""
    evaluator = make(tiny_task)
    groups = []
    for architecture in ARCHITECTURES:
        groups.append(evaluator.at_once)
        evaluator.observe(architecture, OK)
    assert groups == [3, 2, 1] * 4
    assert evaluator.at_once == evaluator.settings.score_together
    assert make(tiny_task, score_together=2).at_once == 2


def test_uniform_training_observes_nothing(tiny_task: Task) -> None:
    evaluator = make(tiny_task, train_on="uniform", epochs=1)
    evaluator.prepare()
    before = weights(evaluator)
    for architecture in ARCHITECTURES[:6]:
        evaluator.observe(architecture, OK)
    assert equal(before, weights(evaluator))
    assert evaluator.state_dict() == {}


@pytest.mark.parametrize(("name", "value"), [("warmup_epochs", -1), ("proposals_per_epoch", 0)])
def test_settings_out_of_range_are_refused(name: str, value: int) -> None:
    with pytest.raises(NasError, match=rf"^evaluator\.{name}={value}: expected "):
        SupernetSettings(**{name: value})


def test_another_way_to_train_is_refused() -> None:
    with pytest.raises(NasError, match=r"'proposal'\. Did you mean 'proposals'"):
        SupernetSettings(train_on="proposal")


def test_answers_change_where_proposals_are_trained_on(tiny_task: Task) -> None:
    assert not make(tiny_task).constant
    assert make(tiny_task, train_on="uniform").constant
