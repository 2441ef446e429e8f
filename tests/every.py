"""Every space, strategy and evaluator, and spaces of a user, for tests that combine them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from torch import Tensor, nn

from nas import registry
from nas.mutables import Elastic, OneOf, SomeOf
from nas.search_spaces.module import ModuleSpace
from nas.space import SearchSpace

__all__ = ["BLACK_BOX", "DIFFERENTIABLE", "ENTRIES", "EVALUATORS", "SPACES"]


class Net(nn.Module):
    """A user's module: a choice inside a choice, two of three, a width."""

    def __init__(self) -> None:
        super().__init__()
        inner = OneOf({"tanh": nn.Tanh(), "relu": nn.ReLU()}, label="inner")
        deep = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), inner)
        self.block = OneOf({"deep": deep, "skip": nn.Identity()}, label="block")
        pools = [nn.AvgPool2d(3, 1, 1), nn.MaxPool2d(3, 1, 1), nn.Conv2d(3, 3, 1)]
        self.some = SomeOf(pools, choose=2, label="some")
        head = nn.Sequential(nn.Linear(192, 8), nn.ReLU(), nn.Linear(8, 3))
        self.head = Elastic(head, width=(2, 4, 8), label="head")

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.head(self.some(self.block(x)).flatten(1))
        return output


class Small(nn.Module):
    """Four architectures."""

    def __init__(self) -> None:
        super().__init__()
        self.first = OneOf({"tanh": nn.Tanh(), "relu": nn.ReLU()}, label="first")
        self.second = OneOf({"tanh": nn.Tanh(), "relu": nn.ReLU()}, label="second")
        self.head = nn.Linear(192, 3)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.head(self.second(self.first(x)).flatten(1))
        return output


class Conditional(nn.Module):
    """A choice of which one matters only for some options of the others, as functions say."""

    def __init__(self) -> None:
        super().__init__()
        layers = [nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 3, 1)]
        self.deep = Elastic(nn.Sequential(*layers), label="deep", depth=(1, 3))
        pools = {"avg": nn.AvgPool2d(3, 1, 1), "max": nn.MaxPool2d(3, 1, 1)}
        self.pool = OneOf(pools, label="pool")
        acts = {"relu": nn.ReLU(), "tanh": nn.Tanh(), "silu": nn.SiLU()}
        self.act = OneOf(acts, label="act", when=lambda o: o["deep"] == 3 and o["pool"] == "avg")
        head = nn.Sequential(nn.Linear(192, 8), nn.ReLU(), nn.Linear(8, 3))
        self.head = Elastic(head, "head", lambda o: o.get("act") != "silu", width=(2, 8))

    @staticmethod
    def constraint(options: dict[str, Hashable]) -> str | None:
        return "too wide" if options["deep"] == 3 and options.get("head") == 8 else None

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.head(self.act(self.pool(self.deep(x))).flatten(1))
        return output


def no_wide_skip(options: dict[str, Hashable]) -> str | None:
    return "too wide" if options["block"] == "skip" and options["head"] == 8 else None


SPACES: dict[str, Callable[[], SearchSpace]] = {
    **{name: entry.factory for name, entry in registry.names("search_spaces").items()},
    "module": lambda: ModuleSpace(Net, name="module"),
    "constrained": lambda: ModuleSpace(Net, name="constrained", constraint=no_wide_skip),
    "conditional": lambda: ModuleSpace(Conditional, name="conditional"),
    "four": lambda: ModuleSpace(Small, name="four"),
}
ENTRIES = registry.names("strategies")
BLACK_BOX = [name for name, entry in ENTRIES.items() if isinstance(entry.factory, type)]
DIFFERENTIABLE = [name for name in ENTRIES if name not in BLACK_BOX]

EVALUATORS: dict[str, dict[str, Any]] = {
    "weight-inheritance": {"batch_size": 16, "epochs": 1},
    "predictor": {"measured_by": "proxy", "measure": {"score": "params"}},
    "proxy:params": {"batch_size": 4},
    "supernet": {"batch_size": 16, "epochs": 1, "calibration": 16},
    "table": {},
    "train": {"batch_size": 16, "epochs": 1},
}
"""Every evaluator as typed, with settings that take little time."""
