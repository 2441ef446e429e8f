"""Keeping what is missed most, whatever the gates say."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.mutables import Gate, Node, OneOf, SomeOf
from nas.progress import Bar, Progress, Silent
from nas.search_spaces.darts import DARTS
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


class Times(nn.Module):
    """Multiplies by a number."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


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


def of_net(noise: float = 1e-3) -> Data:
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(128, 4, generator=generator) * torch.tensor([1.0, 1.0, noise, noise])
    return Data([(x, x[:, :2].argmax(1))])


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


# -- inputs of nodes ------------------------------------------------------------------------------

SIGNALS = "ABCD"


class Edge(OneOf):
    """An edge into a node that keeps two of its four inputs."""

    def gate(self) -> Gate:
        return dataclasses.replace(super().gate(), node=Node("node", 2))


class Join(nn.Module):
    """The sum of four inputs, each of which may be absent; labels are pairs of two bits."""

    def __init__(self) -> None:
        super().__init__()
        for name in SIGNALS:
            options = {"none": Zero(), "destroy": Times(0.0), "keep": nn.Identity()}
            self.add_module(name, Edge(options, label=name))
        self.head = nn.Linear(4, 4, bias=False)
        nn.init.eye_(self.head.weight)

    def forward(self, x: Tensor) -> Tensor:
        signals = zip(SIGNALS, x.unbind(1), strict=True)
        output: Tensor = self.head(sum(self.get_submodule(name)(s) for name, s in signals))
        return output


def of_join() -> Data:
    """A and B both bear the first bit; of the second C bears 70 % and D the others."""
    generator = torch.Generator().manual_seed(0)
    label = torch.randint(4, (400,), generator=generator)
    votes = torch.stack([label // 2, label // 2, label % 2, label % 2])
    bits = [torch.tensor([0, 0, 1, 1])] * 2 + [torch.tensor([0, 1, 0, 1])] * 2
    told = [(bits[i] == votes[i][:, None]).float() for i in range(4)]
    by_c = (torch.arange(400) % 10 < 7).float()[:, None]
    x = torch.stack([told[0], told[1], told[2] * by_c, told[3] * (1 - by_c)], dim=1)
    return Data([(x, label)])


def test_of_two_inputs_with_the_same_signal_one_stays() -> None:
    """Without A nothing is lost while B is there, nor the other way round."""
    space = ModuleSpace(Join)
    strategy = strategy_of(space, examples(4, classes=4))
    scores = Perturbation().scores(strategy, of_join())
    strongest = sorted(SIGNALS, key=lambda name: -scores[name].max())
    assert set(strongest[:2]) in ({"A", "C"}, {"B", "C"})
    assert strongest[2] == "D"  # which went last
    assert all(scores[name].argmax() == 2 for name in SIGNALS)

    [(x, label)] = of_join().batches
    accuracy = {}
    for kept in ("BC", "CD"):
        path = {name: 2 if name in kept else 0 for name in SIGNALS}
        accuracy[kept] = (strategy.supernet(x, path).argmax(1) == label).float().mean().item()
    assert accuracy["BC"] > 0.8
    assert accuracy["CD"] < 0.6  # what is left where both of the pair go


def test_inputs_are_measured_again_without_the_one_that_went(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    strategy = strategy_of(ModuleSpace(Join), examples(4, classes=4))
    ran = Ran(strategy, monkeypatch)
    Perturbation().scores(strategy, of_join())
    absent = [{name for name in SIGNALS if w[name][0] == 1} for w in ran.mixtures[-7:]]
    assert absent[:4] == [{"A"}, {"B"}, {"C"}, {"D"}]
    [gone] = set.intersection(*absent[4:])
    assert gone in "AB"
    assert [names - {gone} for names in absent[4:]] == [{n} for n in SIGNALS if n != gone]


def test_a_choice_of_several_is_made_one_by_one() -> None:
    class Some(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.take = SomeOf({name: Take(i) for i, name in enumerate(SIGNALS)}, 2, label="take")
            self.head = nn.Linear(4, 4, bias=False)
            nn.init.eye_(self.head.weight)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.take(x))

    class Take(nn.Module):
        def __init__(self, place: int) -> None:
            super().__init__()
            self.place = place

        def forward(self, x: Tensor) -> Tensor:
            return x[:, self.place]

    space = ModuleSpace(Some)
    strategy = strategy_of(space, examples(4, classes=4))
    scores = Perturbation().scores(strategy, of_join())
    assert space.options(space.derive(scores))["take"] in ("A+C", "B+C")
    assert sorted(strategy.decided["take"].tolist()) == [0, 0, 1, 1]


@pytest.mark.parametrize("edge_gates", [False, True])
def test_a_darts_cell_is_what_was_decided(tiny_task: Task, edge_gates: bool) -> None:
    space = DARTS()
    options = {"channels": 4, "layers": 3, "edge_gates": edge_gates}
    strategy = strategy_of(space, tiny_task, **options)
    with torch.no_grad():
        for name, logits in strategy.logits.items():
            logits[0] += 3.0 * ("<-" in name)  # none
    scores = Perturbation().scores(strategy, Data(list(tiny_task.batches("valid", 20))[:1]))
    path = strategy.supernet.path(space.derive(scores))
    for name, gate in strategy.supernet.gates.items():
        if gate.choose > 1 and name not in strategy.decided:
            assert len(gate.options) == gate.choose  # so that nothing was to decide
        elif gate.choose > 1:
            assert set(np.flatnonzero(scores[name] >= scores[name].max())) == set(path[name])
        elif not edge_gates or path[name] != 0:
            assert strategy.decided[name].argmax() == path[name], name
            assert strategy.decided[name].sum() == 1


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
