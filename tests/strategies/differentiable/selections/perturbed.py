"""Modules, data and supernets for tests of what is missed most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.progress import Progress, Silent
from nas.space import SearchSpace
from nas.strategies.differentiable.settings import DifferentiableSettings
from nas.strategies.differentiable.strategy import Batch, DifferentiableStrategy
from nas.task import Task

__all__ = ["Data", "Ran", "Times", "Zero", "examples", "strategy_of"]


class Zero(nn.Module):
    """Gives zeros, as an edge that is absent."""

    is_zero = True

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


class Times(nn.Module):
    """Multiplies by a number."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


class Data:
    """Two halves of a problem.

    Args:
        batches: Of either half.
        progress: Where the selection reports.
    """

    def __init__(self, batches: Sequence[Batch], progress: Progress | None = None) -> None:
        self.batches, self.progress = batches, progress or Silent()

    def train_batches(self, epoch: int) -> Iterator[Batch]:
        return iter(self.batches)

    def valid_batches(self) -> Iterator[Batch]:
        return iter(self.batches)

    def gate_batches(self, epoch: int) -> Iterator[Batch]:
        return (batch for _ in count() for batch in self.batches)


def strategy_of(
    space: SearchSpace, task: Task, settings: dict[str, Any] | None = None, **options: Any
) -> DifferentiableStrategy:
    torch.manual_seed(0)
    chosen = DifferentiableSettings(**({"perturbation_epochs": 0} | (settings or {})))
    return DifferentiableStrategy(chosen, space.supernet(task.info, **options), task)


def examples(features: int, classes: int = 2) -> Task:
    """A task of shapes; its data is not looked at."""
    x = np.random.default_rng(0).normal(size=(60, features)).astype("float32")
    return Task.from_arrays(x, np.arange(60) % classes)


class Ran:
    """Keeps every mixture that a supernet runs."""

    def __init__(self, strategy: DifferentiableStrategy, monkeypatch: pytest.MonkeyPatch) -> None:
        self.mixtures: list[dict[str, Tensor]] = []
        self.training: list[set[bool]] = []
        self.modules = list(strategy.supernet.modules())
        forward = strategy.supernet.forward

        def watched(x: Any, weights: Any) -> Any:
            self.mixtures.append({n: torch.as_tensor(w).clone() for n, w in weights.items()})
            self.training.append({m.training for m in self.modules if isinstance(m, nn.Dropout)})
            return forward(x, weights)

        monkeypatch.setattr(strategy.supernet, "forward", watched)
