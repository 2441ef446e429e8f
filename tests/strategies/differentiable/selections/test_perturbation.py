"""Keeping what is missed most, whatever the gates say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from every import Net as Everything
from perturbed import Data, Ran, Times, Zero, examples, strategy_of
from torch import Tensor, nn

from nas.mutables import OneOf
from nas.progress import Bar, Silent
from nas.search_spaces.module import ModuleSpace
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.search_spaces.nats_size import NATSSize
from nas.space import SearchSpace
from nas.strategies.differentiable.selections.magnitude import Magnitude
from nas.strategies.differentiable.selections.perturbation import Perturbation
from nas.task import Task


class Net(nn.Module):
    """The label is the larger of the first two inputs; the other two are noise."""

    def __init__(self) -> None:
        super().__init__()
        for name in ("told", "noise"):
            options = {"none": Zero(), "destroy": Times(0.0), "keep": nn.Identity()}
            self.add_module(name, OneOf(options, label=name))
        self.head = nn.Linear(2, 2, bias=False)
        nn.init.eye_(self.head.weight)

    def forward(self, x: Tensor) -> Tensor:
        told, noise = x[:, :2], x[:, 2:]
        return self.head(self.get_submodule("told")(told)) + self.get_submodule("noise")(noise)


def of_net(noise: float = 1e-3) -> Data:
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(128, 4, generator=generator) * torch.tensor([1.0, 1.0, noise, noise])
    return Data([(x, x[:, :2].argmax(1))])


# -- operations -----------------------------------------------------------------------------------


def test_a_vital_option_is_kept_even_against_the_logits() -> None:
    space = ModuleSpace(Net)
    strategy = strategy_of(space, examples(4))
    with torch.no_grad():
        for logits in strategy.logits.values():
            logits.copy_(torch.tensor([0.0, 5.0, 0.0]))
    by_magnitude = space.options(space.derive(Magnitude().scores(strategy, of_net())))
    assert by_magnitude == {"told": "destroy", "noise": "destroy"}
    scores = Perturbation().scores(strategy, of_net())
    assert space.options(space.derive(scores))["told"] == "keep"
    assert scores["told"].argmax() == 2


def test_a_gate_that_has_come_down_to_one_option_can_do_without_it() -> None:
    """Nothing of weight is left then, and zeros come out."""

    class Sole(Net):
        def __init__(self) -> None:
            super().__init__()
            self.told = OneOf({"destroy": Times(0.0), "keep": nn.Identity()}, label="told")

    space = ModuleSpace(Sole)
    strategy = strategy_of(space, examples(4))
    with torch.no_grad():
        strategy.logits["told"].copy_(torch.tensor([0.0, 1000.0]))
        strategy.logits["noise"].copy_(torch.tensor([0.0, 0.0, 1000.0]))
    scores = Perturbation().scores(strategy, of_net())
    assert space.options(space.derive(scores))["told"] == "keep"


def test_a_removed_option_leaves_the_others_their_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    strategy = strategy_of(ModuleSpace(Net), examples(4))
    with torch.no_grad():
        for logits in strategy.logits.values():
            logits.copy_(torch.tensor([0.5, 0.0, 1.0]))
    trained = torch.tensor([0.5, 0.0, 1.0]).softmax(0)
    ran = Ran(strategy, monkeypatch)
    Perturbation().scores(strategy, of_net())
    assert len(ran.mixtures) == 6
    first = "told" if not torch.equal(ran.mixtures[0]["told"], trained) else "noise"
    second = {"told": "noise", "noise": "told"}[first]
    for option, mixture in enumerate(ran.mixtures[:3]):
        masked = trained.clone()
        masked[option] = 0.0
        assert torch.equal(mixture[first], masked)
        assert torch.equal(mixture[second], trained)
    for mixture in ran.mixtures[3:]:
        assert sorted(mixture[first].tolist()) == [0, 0, 1]  # decided
        assert torch.count_nonzero(mixture[second]) == 2


def test_absent_is_chosen_where_all_else_does_harm() -> None:
    """The noise is loud; without either of the options that let it in, accuracy rises."""

    class Loud(Net):
        def __init__(self) -> None:
            super().__init__()
            options = {"none": Zero(), "some": Times(0.5), "keep": nn.Identity()}
            self.noise = OneOf(options, label="noise")

    space = ModuleSpace(Loud)
    strategy = strategy_of(space, examples(4))
    scores = Perturbation().scores(strategy, of_net(noise=1.0))
    assert space.options(space.derive(scores)) == {"told": "keep", "noise": "none"}


def test_absent_can_be_chosen_on_every_edge_of_nas_bench_201(
    tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = NASBench201()
    strategy = strategy_of(space, tiny_task, channels=4, cells=1)
    monkeypatch.setattr(type(tiny_task), "correct", lambda *_: 0)
    monkeypatch.setattr(type(tiny_task), "loss", lambda *_: torch.tensor(1.0))
    data = Data(list(tiny_task.batches("valid", 20)))
    architecture = space.derive(Perturbation().scores(strategy, data))
    assert space.operations(architecture) == ["none"] * 6  # the first of equals


def test_what_accuracy_cannot_tell_the_loss_does() -> None:
    """Without either option all labels are still right, but less surely without the second."""

    class Sure(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.choice = OneOf({"weak": Times(0.1), "strong": Times(3.0)}, label="choice")
            self.head = nn.Linear(2, 2, bias=False)
            nn.init.eye_(self.head.weight)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.choice(x[:, :2]))

    space = ModuleSpace(Sure)
    scores = Perturbation().scores(strategy_of(space, examples(4)), of_net())
    assert space.options(space.derive(scores)) == {"choice": "strong"}


# -- all of it ------------------------------------------------------------------------------------


def test_dropout_does_not_blur_what_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    class Dropped(Net):
        def __init__(self) -> None:
            super().__init__()
            self.dropout, self.norm = nn.Dropout(0.5), nn.BatchNorm1d(4)

        def forward(self, x: Tensor) -> Tensor:
            assert self.norm.training  # with the statistics of each batch
            return super().forward(self.dropout(self.norm(x)))

    strategy = strategy_of(ModuleSpace(Dropped), examples(4), {"perturbation_epochs": 1})
    ran = Ran(strategy, monkeypatch)
    Perturbation().scores(strategy, of_net())
    assert [t == {True} for t in ran.training] == 2 * (3 * [False] + 2 * [True])


def test_weights_are_tuned_after_every_decision_and_stay_tuned() -> None:
    passes: list[int] = []

    class Told(Silent):
        @contextmanager
        def bar(self, title: str, total: int, done: int = 0) -> Iterator[Bar]:
            passes.append(total)
            yield self

        def advance(self, **figures: float) -> None:
            passes[0] -= 1

    settings = {"perturbation_epochs": 3, "weight_lr": 1.0}
    strategy = strategy_of(ModuleSpace(Net), examples(4), settings)
    before = strategy.supernet.state_dict()["network.head.weight"].clone()
    data = of_net()
    data.progress = Told()
    Perturbation().scores(strategy, data)
    assert passes == [0]  # all that was announced, and no more
    assert not torch.equal(before, strategy.supernet.state_dict()["network.head.weight"])
    assert strategy.weight_lr < 0.1


def test_the_same_seed_gives_the_same_scores() -> None:
    found = []
    for _ in range(2):
        strategy = strategy_of(ModuleSpace(Net), examples(4), {"perturbation_epochs": 2})
        torch.manual_seed(3)
        found.append((Perturbation().scores(strategy, of_net()), strategy.supernet.state_dict()))
    for name in found[0][0]:
        assert np.array_equal(found[0][0][name], found[1][0][name])
    assert all(torch.equal(w, found[1][1][name]) for name, w in found[0][1].items())


def test_it_can_be_asked_again() -> None:
    strategy = strategy_of(ModuleSpace(Net), examples(4))
    first, second = (Perturbation().scores(strategy, of_net()) for _ in range(2))
    assert first["told"].argmax() == second["told"].argmax() == 2


@pytest.mark.parametrize(
    ("space", "options"),
    [
        (ModuleSpace(Everything), {}),  # a choice in a choice, two of three, a width
        (NATSSize(), {}),
        (NASBench201(), {"channels": 4, "cells": 1, "edge_gates": True}),
    ],
    ids=lambda value: getattr(value, "name", None),
)
@pytest.mark.parametrize("relaxation", ["softmax", "gumbel-hard", "unit-norm"])
def test_every_kind_of_gate_is_decided(
    tiny_task: Task, space: SearchSpace, options: dict[str, int], relaxation: str
) -> None:
    settings = {"perturbation_epochs": 1, "relaxation": relaxation}
    strategy = strategy_of(space, tiny_task, settings, **options)
    scores = Perturbation().scores(strategy, Data(list(tiny_task.batches("valid", 20))))
    path = strategy.supernet.path(space.derive(scores))
    for name, gate in strategy.supernet.gates.items():
        if gate.choose == len(gate.options):
            continue
        ran = torch.zeros(len(gate.options))
        ran[torch.tensor(path[name])] = 1.0
        inactive = isinstance(space, ModuleSpace) and name == "inner"
        assert inactive or torch.equal(strategy.decided[name], ran), name
