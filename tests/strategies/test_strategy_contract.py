"""What every registered strategy must do, on every kind of space, and every pairing."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas import registry
from nas.checkpoint import load_checkpoint, save_checkpoint
from nas.errors import NasError
from nas.mutables import Elastic, OneOf, SomeOf
from nas.objective import Measurement, Objective
from nas.search import search
from nas.search_spaces.module import ModuleSpace
from nas.space import Architecture, SearchSpace
from nas.strategies.differentiable.settings import DifferentiableSettings
from nas.strategies.strategy import Strategy
from nas.task import Task


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


def no_wide_skip(options: dict[str, Hashable]) -> str | None:
    return "too wide" if options["block"] == "skip" and options["head"] == 8 else None


SPACES: dict[str, Callable[[], SearchSpace]] = {
    **{name: entry.factory for name, entry in registry.names("search_spaces").items()},
    "module": lambda: ModuleSpace(Net, name="module"),
    "constrained": lambda: ModuleSpace(Net, name="constrained", constraint=no_wide_skip),
}
ENTRIES = registry.names("strategies")
BLACK_BOX = [name for name, entry in ENTRIES.items() if isinstance(entry.factory, type)]
DIFFERENTIABLE = [name for name in ENTRIES if name not in BLACK_BOX]


def make(strategy: str, space: SearchSpace, seed: int = 0, objective: str = "accuracy") -> Strategy:
    factory: Any = ENTRIES[strategy].factory
    settings = factory.Settings() if factory.Settings else None
    made: Strategy = factory(space, Objective(objective), seed, settings)
    return made


def judge(architecture: Architecture) -> Measurement:
    """Measure in no time: a number that follows from the choices; some fail."""
    digest = hashlib.sha256(repr(architecture.choices).encode()).digest()
    if digest[0] < 25:
        return Measurement(error="RuntimeError: failed")
    return Measurement({"accuracy": digest[1] / 256, "loss": digest[2] / 256})


def rounds(strategy: Strategy, sizes: list[int]) -> list[Architecture]:
    """Ask and tell a number of times; return all that was proposed."""
    asked = []
    for n in sizes:
        proposed = strategy.ask(n)
        assert len(proposed) == n
        strategy.tell([(a, judge(a)) for a in proposed])
        asked += proposed
    return asked


# -- black-box strategies -------------------------------------------------------------------------

over_spaces = pytest.mark.parametrize("space", SPACES)
over_black_box = pytest.mark.parametrize("strategy", BLACK_BOX)


@over_spaces
@over_black_box
def test_proposals_are_valid(strategy: str, space: str) -> None:
    made = SPACES[space]()
    for architecture in rounds(make(strategy, made), [1, 10, 3]):
        assert made.check(architecture) is None


@over_spaces
@over_black_box
def test_the_same_seed_gives_the_same_proposals(strategy: str, space: str) -> None:
    first, second, other = (
        rounds(make(strategy, SPACES[space](), seed), [5, 5]) for seed in (0, 0, 1)
    )
    assert first == second
    assert first != other


@over_spaces
@over_black_box
def test_a_restored_state_goes_on_the_same(strategy: str, space: str, tmp_path: Path) -> None:
    """Through a file, as a killed search would; the state holds nothing but data."""
    made = SPACES[space]()
    first = make(strategy, made)
    rounds(first, [4, 4])
    save_checkpoint(tmp_path / "state.pt", first.state_dict())
    second = make(strategy, made, seed=7)
    state = load_checkpoint(tmp_path / "state.pt")
    assert state is not None
    second.load_state_dict(state)
    assert rounds(first, [4, 1, 4]) == rounds(second, [4, 1, 4])


@over_black_box
def test_minimising_and_failures_are_understood(strategy: str) -> None:
    """Also where nothing but failures was told."""
    made = SPACES["nas-bench-201"]()
    searching = make(strategy, made, objective="-loss")
    for _ in range(3):
        asked = searching.ask(4)
        searching.tell([(a, Measurement(error="MemoryError: none left")) for a in asked])
    for architecture in rounds(searching, [4, 4]):
        assert made.check(architecture) is None


# -- differentiable strategies --------------------------------------------------------------------


@pytest.mark.parametrize("scale", ["small", "paper"])
@pytest.mark.parametrize("strategy", DIFFERENTIABLE)
def test_a_preset_makes_settings(strategy: str, scale: str) -> None:
    assert isinstance(ENTRIES[strategy].factory(scale), DifferentiableSettings)


# -- pairings -------------------------------------------------------------------------------------

SMALL: dict[str, dict[str, dict[str, Any]]] = {
    "darts": {
        "supernet": {"channels": 8, "layers": 3},
        "network": {"channels": 4, "layers": 3},
    },
    "nas-bench-201": {
        "supernet": {"channels": 8, "cells": 1},
        "network": {"channels": 4, "cells": 1},
    },
    "nasnet": {"network": {"channels": 4, "layers": 3}},
}
PAIRS = [*itertools.product(SPACES, ENTRIES, registry.names("evaluators"))]
NO_SUPERNET = ("nasnet",)
NO_PARTS = ("module", "constrained")  # neither partial channels nor gates over edges


def refusal(space: str, strategy: str, evaluator: str) -> str | None:
    """Return what the message says where a pairing is not supported."""
    if space in NO_SUPERNET and (strategy in DIFFERENTIABLE or evaluator == "supernet"):
        return "has no supernet.*use --evaluator train"
    if space in NO_PARTS and strategy == "pc-darts":
        return "has no partial channels or edge gates.*take a strategy without them"
    return None


@pytest.mark.parametrize(("space", "strategy", "evaluator"), PAIRS)
def test_every_pairing_runs_or_is_refused_with_a_reason(
    space: str, strategy: str, evaluator: str, tiny_task: Task, tmp_path: Path, no_report: None
) -> None:
    made = SPACES[space]()
    groups = {name: dict(values) for name, values in SMALL.get(space, {}).items()}
    groups["evaluator"] = {"batch_size": 16}
    if strategy in BLACK_BOX or evaluator == "train":
        groups["evaluator"]["epochs"] = 1
    if strategy in DIFFERENTIABLE:
        groups["strategy"] = {"epochs": 1, "batch_size": 10}
    evaluations = 2 if strategy in BLACK_BOX else None

    def run() -> Any:
        return search(
            made, strategy, tiny_task, evaluator, evaluations=evaluations,
            out=tmp_path / "run", settings=groups,
        )  # fmt: skip

    reason = refusal(space, strategy, evaluator)
    if reason:
        with pytest.raises(NasError, match=reason):
            run()
        assert not (tmp_path / "run").exists()  # nothing was begun
        return
    done = run()
    found = done.best
    assert made.check(found.architecture) is None
    assert 0 <= found.metrics["accuracy"] <= 1
    assert len(done.trials()) == (2 if strategy in BLACK_BOX else 1)
    network = found.build("inherited")
    with torch.no_grad():
        output = network(torch.zeros(2, *tiny_task.input_shape))
    assert (output if isinstance(output, Tensor) else output[0]).shape == (2, 3)
