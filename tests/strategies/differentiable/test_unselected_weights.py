"""What does not run has gradients of 0, not none: momentum and weight decay go on to move it.

Optimisers tell the two apart: a weight without a gradient they leave alone.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.evaluators import Context, SupernetEvaluator, SupernetSettings
from nas.mutables import OneOf, Supernet
from nas.search_spaces import ModuleSpace
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import Architecture
from nas.strategies.differentiable.settings import DifferentiableSettings
from nas.strategies.differentiable.strategy import DifferentiableStrategy
from nas.task import Task

LR, DECAY, MOMENTUM = 0.1, 0.01, 0.9


class Two(nn.Module):
    """A choice of two layers, modules of their own."""

    def __init__(self) -> None:
        super().__init__()
        layers = {"left": nn.Linear(192, 3), "right": nn.Linear(192, 3)}
        self.layer = OneOf(layers, label="layer")

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.layer(x.flatten(1))
        return output


def strategy_of(supernet: Supernet, task: Task, **settings: Any) -> DifferentiableStrategy:
    numbers = {"weight_lr": LR, "weight_lr_min": LR, "weight_decay": DECAY, "momentum": MOMENTUM}
    chosen = DifferentiableSettings(relaxation="gumbel-hard", epochs=2, **(numbers | settings))
    return DifferentiableStrategy(chosen, supernet, task)


def hold(strategy: DifferentiableStrategy, **choices: int) -> None:
    """Make the gates draw these options whatever the noise."""
    with torch.no_grad():
        for gate, index in choices.items():
            strategy.logits[gate].fill_(-1e4)[index] = 1e4


def step(strategy: DifferentiableStrategy, task: Task) -> None:
    strategy.supernet.train()
    strategy.weight_step(next(iter(task.batches("train", 10))))


def layer(supernet: nn.Module, name: str) -> Tensor:
    [weight] = [w for n, w in supernet.named_parameters() if n.endswith("weight") and name in n]
    return weight.detach().clone()


def test_weight_decay_moves_what_does_not_run(tiny_task: Task) -> None:
    space = ModuleSpace(Two)
    supernet: Any = space.supernet(tiny_task.info)
    strategy = strategy_of(supernet, tiny_task)
    hold(strategy, layer=0)
    before = layer(supernet, "right")
    step(strategy, tiny_task)
    torch.testing.assert_close(layer(supernet, "right"), before * (1 - LR * DECAY))


def test_momentum_carries_on_what_ran_before(tiny_task: Task) -> None:
    supernet: Any = ModuleSpace(Two).supernet(tiny_task.info)
    strategy = strategy_of(supernet, tiny_task, weight_decay=0.0)
    first = layer(supernet, "right")
    hold(strategy, layer=1)
    step(strategy, tiny_task)
    moved = layer(supernet, "right") - first
    hold(strategy, layer=0)
    step(strategy, tiny_task)
    assert moved.abs().max() > 1e-4
    torch.testing.assert_close(layer(supernet, "right") - first, moved * (1 + MOMENTUM))


def test_adam_too(tiny_task: Task) -> None:
    supernet: Any = ModuleSpace(Two).supernet(tiny_task.info)
    strategy = strategy_of(supernet, tiny_task, weight_optimizer="adam", weight_decay=0.0)
    hold(strategy, layer=1)
    step(strategy, tiny_task)
    before = layer(supernet, "right")
    hold(strategy, layer=0)
    step(strategy, tiny_task)
    assert not torch.equal(layer(supernet, "right"), before)


@pytest.mark.parametrize("others", ["none", "skip_connect", "nor_conv_3x3"])
def test_an_operation_moves_whatever_else_is_drawn(tiny_task: Task, others: str) -> None:
    """The convolutions of edges lie in one tensor: one that runs must not decide for the others."""
    torch.manual_seed(0)
    supernet: Any = NASBench201().supernet(tiny_task.info, channels=4, cells=1)
    strategy = strategy_of(supernet, tiny_task)
    names = {name: list(gate.options) for name, gate in supernet.gates.items()}
    [first, *rest] = names
    chosen = {first: names[first].index("nor_conv_1x1")}
    hold(strategy, **chosen, **{name: names[name].index(others) for name in rest})
    before = {n: w.detach().clone() for n, w in supernet.named_parameters() if w.dim() > 1}
    step(strategy, tiny_task)
    after = dict(supernet.named_parameters())
    assert before and not [n for n, w in before.items() if torch.equal(after[n], w)]


def test_the_evaluators_supernet_too(tiny_task: Task) -> None:
    space = ModuleSpace(Two)
    settings = SupernetSettings(
        epochs=1, batch_size=20, learning_rate=LR, weight_decay=DECAY, momentum=MOMENTUM
    )
    evaluator = SupernetEvaluator(Context(space, tiny_task), settings)
    supernet = evaluator.supernet
    left = supernet.path(Architecture(space.name, (0,)))
    before = copy.deepcopy(layer(supernet, "right"))
    evaluator.training.step([left], *next(iter(tiny_task.batches("train", 10))))
    torch.testing.assert_close(layer(supernet, "right"), before * (1 - LR * DECAY))
