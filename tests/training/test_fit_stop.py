"""Training that is ended early."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from nas.task import Task
from nas.training.evaluate import evaluate
from nas.training.fit import TrainResult, fit
from nas.training.settings import TrainSettings

SETTINGS = TrainSettings(epochs=5, batch_size=10, drop_path=0.0, cutout=0)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 3))


def trained(task: Task, stop: object, checkpoint: Path | None = None) -> TrainResult:
    return fit(
        network(), task, SETTINGS, split="train", evaluate_on="valid", checkpoint=checkpoint,
        stop=stop,  # type: ignore[arg-type]
    )  # fmt: skip


def test_training_ends_where_it_is_told_to(tiny_task: Task) -> None:
    asked: list[int] = []

    def stop(epoch: int, judge: Callable[[], dict[str, float]]) -> bool:
        asked.append(epoch)
        return epoch == 3

    result = trained(tiny_task, stop)
    assert asked == [1, 2, 3]
    whole = trained(tiny_task, None)
    rates = [[record["learning_rate"] for record in r.history] for r in (result, whole)]
    assert rates[0] == rates[1][:3]  # the schedule is that of all epochs
    assert result.metrics != whole.metrics


def test_judging_meanwhile_changes_nothing(tiny_task: Task) -> None:
    seen = []

    def watch(epoch: int, judge: Callable[[], dict[str, float]]) -> bool:
        seen.append(judge())
        return False

    assert trained(tiny_task, watch).metrics == trained(tiny_task, None).metrics
    assert len(seen) == 5
    assert seen[-1] == {k: trained(tiny_task, None).metrics[k] for k in ("loss", "accuracy")}


def test_what_is_judged_is_the_network_as_it_is(tiny_task: Task) -> None:
    made = network()

    def stop(epoch: int, judge: Callable[[], dict[str, float]]) -> bool:
        assert judge() == evaluate(made, tiny_task, "valid", SETTINGS.batch_size)
        return True

    result = fit(made, tiny_task, SETTINGS, split="train", evaluate_on="valid", stop=stop)
    assert result.metrics["loss"] == pytest.approx(evaluate(made, tiny_task, "valid")["loss"])


def test_a_training_that_was_stopped_has_ended(tiny_task: Task, tmp_path: Path) -> None:
    file = tmp_path / "training.pt"
    first = trained(tiny_task, lambda epoch, judge: epoch == 2, file)
    again = trained(tiny_task, None, file)
    assert again.metrics == first.metrics and len(again.history) == 2
