"""A smooth supernet of a few weights, in double precision, and a problem for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.mutables import OneOf
from nas.mutables.supernet import Supernet
from nas.search_spaces.module import ModuleSpace
from nas.strategies.differentiable.settings import DifferentiableSettings
from nas.strategies.differentiable.strategy import Batch, DifferentiableStrategy
from nas.task import TaskInfo


class Smooth(nn.Module):
    """Two choices among smooth candidates, between linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(4, 6)
        self.first = OneOf(self._candidates(), label="first")
        self.second = OneOf(self._candidates(), label="second")
        self.head = nn.Linear(6, 3)

    @staticmethod
    def _candidates() -> dict[str, nn.Module]:
        return {
            "tanh": nn.Sequential(nn.Linear(6, 6), nn.Tanh()),
            "sigmoid": nn.Sequential(nn.Linear(6, 6), nn.Sigmoid()),
            "linear": nn.Linear(6, 6),
        }

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.head(self.second(self.first(self.stem(x))))
        return output


class Classification:
    """Cross entropy and the number of right predictions."""

    def loss(self, output: Any, target: Tensor) -> Tensor:
        return functional.cross_entropy(output, target)

    def correct(self, output: Any, target: Tensor) -> int:
        return int((output.argmax(1) == target).sum())


@pytest.fixture
def double() -> Iterator[None]:
    """Double precision for what is made in the test, and a fixed seed."""
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def smooth(double: None) -> Supernet:
    supernet = ModuleSpace(Smooth).supernet(TaskInfo((4,), 3))
    with torch.no_grad():
        for w in supernet.parameters():
            w.mul_(2.5)  # so that no gradient is tiny
    return supernet


MakeStrategy = Callable[..., DifferentiableStrategy]


@pytest.fixture
def make_strategy(smooth: Supernet) -> MakeStrategy:
    """Make a strategy of the smooth supernet from settings, with logits that differ clearly."""

    def make(**settings: Any) -> DifferentiableStrategy:
        strategy = DifferentiableStrategy(
            DifferentiableSettings(**settings), smooth, Classification()
        )
        with torch.no_grad():
            for logits in strategy.logits.values():
                logits.copy_(torch.randn(len(logits)))
        strategy.begin_epoch(0)
        return strategy

    return make


@pytest.fixture
def batches(double: None) -> tuple[Batch, Batch]:
    """A batch for the weights and a batch for the gates."""
    train, valid = ((torch.randn(16, 4), torch.randint(0, 3, (16,))) for _ in range(2))
    return train, valid
