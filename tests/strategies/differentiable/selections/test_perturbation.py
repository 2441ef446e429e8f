"""Keeping what is missed most, whatever the gates say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.mutables import OneOf
from nas.progress import Progress, Silent
from nas.search_spaces.module import ModuleSpace
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import SearchSpace
from nas.strategies.differentiable.selections.magnitude import Magnitude
from nas.strategies.differentiable.selections.perturbation import Perturbation
from nas.strategies.differentiable.settings import DifferentiableSettings
from nas.strategies.differentiable.strategy import Batch, DifferentiableStrategy
from nas.task import Task


class Zero(nn.Module):
    """Gives zeros, as an edge that is absent."""

    is_zero = True

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


class Destroy(nn.Module):
    """Gives zeros too, without saying so."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 0.0


class Net(nn.Module):
    """The label is the larger of the first two inputs; the other two are noise."""

    def __init__(self) -> None:
        super().__init__()
        candidates = (("none", Zero), ("destroy", Destroy), ("keep", nn.Identity))
        for name in ("told", "noise"):
            choice = OneOf({n: make() for n, make in candidates}, label=name)
            self.add_module(name, choice)
        self.head = nn.Linear(2, 2, bias=False)
        nn.init.eye_(self.head.weight)

    def forward(self, x: Tensor) -> Tensor:
        told, noise = x[:, :2], x[:, 2:]
        return self.head(self.get_submodule("told")(told)) + self.get_submodule("noise")(noise)


@dataclass
class Examples:
    """Two halves of a problem."""

    progress: Progress = field(default_factory=Silent)
    epochs: list[int] = field(default_factory=list)

    def _batches(self, seed: int) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(seed)
        for _ in range(2):
            x = torch.randn(64, 4, generator=generator) * torch.tensor([1.0, 1.0, 1e-3, 1e-3])
            yield x, x[:, :2].argmax(1)

    def train_batches(self, epoch: int) -> Iterator[Batch]:
        self.epochs.append(epoch)
        return self._batches(1)

    def valid_batches(self) -> Iterator[Batch]:
        return self._batches(2)


def strategy_of(space: SearchSpace, task: Task, **options: int) -> DifferentiableStrategy:
    torch.manual_seed(0)
    return DifferentiableStrategy(
        DifferentiableSettings(), space.supernet(task.info, **options), task
    )


@pytest.fixture
def task() -> Task:
    x = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
    return Task.from_arrays(x, x[:, :2].argmax(1))


@pytest.mark.parametrize("strength", [5.0, 1000.0])
def test_a_vital_option_is_kept_even_against_the_logits(task: Task, strength: float) -> None:
    """At 1000 all weight is on the option of no use, so that none is left to share."""
    space = ModuleSpace(Net)
    strategy = strategy_of(space, task)
    with torch.no_grad():
        for logits in strategy.logits.values():
            logits.copy_(torch.tensor([0.0, strength, 0.0]))
    data = Examples()
    by_magnitude = space.options(space.derive(Magnitude().scores(strategy, data)))
    assert by_magnitude == {"told": "destroy", "noise": "destroy"}
    scores = Perturbation().scores(strategy, data)
    assert space.options(space.derive(scores))["told"] == "keep"
    assert scores["told"].argmax() == 2


def test_an_edge_is_as_strong_as_what_its_absence_costs(task: Task) -> None:
    strategy = strategy_of(ModuleSpace(Net), task)
    with torch.no_grad():
        strategy.logits["noise"].copy_(torch.tensor([0.0, 0.0, 9.0]))
    scores = Perturbation().scores(strategy, Examples())
    told, noise = scores["told"].max(), scores["noise"].max()
    assert told > 1.2  # exp of a fall of accuracy from all to about half
    assert noise == pytest.approx(1, abs=0.1)
    assert scores["told"][0] == scores["noise"][0] == 0


def test_weights_are_tuned_once_a_gate_in_epochs_of_their_own(task: Task) -> None:
    strategy = strategy_of(ModuleSpace(Net), task)
    data = Examples()
    before = strategy.supernet.state_dict()["network.head.weight"].clone()
    Perturbation().scores(strategy, data)
    assert data.epochs == [50, 51]  # those before belong to the search
    assert not torch.equal(before, strategy.supernet.state_dict()["network.head.weight"])


def test_the_same_seed_gives_the_same_scores(task: Task) -> None:
    found = []
    for _ in range(2):
        strategy = strategy_of(ModuleSpace(Net), task)
        torch.manual_seed(3)
        found.append(Perturbation().scores(strategy, Examples()))
    for name in found[0]:
        assert np.array_equal(found[0][name], found[1][name])


def test_absent_is_never_kept_in_a_published_space(tiny_task: Task) -> None:
    class Data(Examples):
        def _batches(self, seed: int) -> Iterator[Batch]:
            return tiny_task.batches("valid", 20)

    space = NASBench201()
    strategy = strategy_of(space, tiny_task, channels=4, cells=1)
    with torch.no_grad():
        for logits in strategy.logits.values():
            logits[0] += 5.0  # none
    architecture = space.derive(Perturbation().scores(strategy, Data()))
    assert space.check(architecture) is None
    assert "none" not in space.operations(architecture)
