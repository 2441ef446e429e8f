"""Paths one after the other: batches that are run together where that makes no difference."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.evaluators.scoring.data import Data
from nas.evaluators.scoring.separate import score_path, score_separately
from nas.evaluators.supernet import SupernetSettings
from nas.mutables import OneOf
from nas.mutables.supernet import Supernet
from nas.task import Task

SETTINGS = {"batch_size": 4, "calibration": 12}


class Centred(nn.Module):
    """Depends on which examples are in a batch."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(0)


class Noisy(nn.Module):
    """Depends on random numbers."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.randn_like(x)


class Small(nn.Module):
    """Fails on more than a batch."""

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > 4:
            raise RuntimeError("too many")
        return x


class Net(nn.Module):
    """A choice before a linear classifier; counts its batches."""

    def __init__(self) -> None:
        super().__init__()
        kinds = {"plain": nn.Tanh(), "centred": Centred(), "noisy": Noisy(), "small": Small()}
        self.first = nn.Sequential(nn.Flatten(), nn.Linear(192, 8), nn.BatchNorm1d(8))
        self.choice = OneOf(kinds, label="choice")
        self.head = nn.Linear(8, 3)
        self.seen: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(len(x))
        output: Tensor = self.head(self.choice(self.first(x)))
        return output


def scored(task: Task, kind: str, keep: bool, **settings: Any) -> tuple[dict[str, float], Any]:
    """Return the score and the sizes of the batches that were scored, in one of both ways."""
    torch.manual_seed(0)
    network = Net()
    supernet = Supernet(network, lambda _: {})
    path = {"choice": list(network.choice.candidates).index(kind)}
    chosen = SupernetSettings(**(SETTINGS | settings))
    torch.manual_seed(1)
    if not keep:
        return score_path(supernet, path, task, "valid", chosen), network.seen
    data = Data(task, "valid", chosen)
    data.keep(10**9)
    return score_separately(supernet, path, data), network.seen


def close(first: dict[str, float], second: dict[str, float]) -> bool:
    return first["accuracy"] == second["accuracy"] and first["loss"] == pytest.approx(
        second["loss"], abs=1e-6
    )


def test_batches_are_run_together(tiny_task: Task) -> None:
    (alone, seen), (kept, fewer) = (scored(tiny_task, "plain", keep) for keep in (False, True))
    assert close(alone, kept)
    assert seen == [4] * 3 + [4] * 5
    assert fewer == [4] * 3 + [8, 4, 4] + [16, 4]


@pytest.mark.parametrize("kind", ["centred", "noisy", "small"])
def test_batches_are_not_run_together_where_it_matters(tiny_task: Task, kind: str) -> None:
    (alone, _), (kept, seen) = (scored(tiny_task, kind, keep) for keep in (False, True))
    assert alone == kept  # the same random numbers, too
    assert seen[-5:] == [4] * 5


def test_batches_are_not_run_together_where_each_has_its_own_statistics(tiny_task: Task) -> None:
    results = [scored(tiny_task, "plain", keep, batch_norm="batch") for keep in (False, True)]
    assert results[0] == results[1]
    assert results[0][1] == [4] * 5
