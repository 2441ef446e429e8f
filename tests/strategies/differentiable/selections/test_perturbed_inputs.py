"""Which inputs of a node stay: the least missed go one by one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from perturbed import Data, Ran, Times, Zero, examples, strategy_of
from torch import Tensor, nn

from nas.mutables import Gate, Node, OneOf, SomeOf
from nas.search_spaces.darts import DARTS
from nas.search_spaces.module import ModuleSpace
from nas.strategies.differentiable.selections.perturbation import Perturbation
from nas.task import Task

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
            inputs = tuple(np.flatnonzero(scores[name] >= scores[name].max()).tolist())
            assert inputs == path[name]
        elif not edge_gates or path[name] != 0:
            assert strategy.decided[name].argmax() == path[name], name
            assert strategy.decided[name].sum() == 1
