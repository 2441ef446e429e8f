"""Training on between two decisions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any

import pytest
import torch

from nas.progress import Progress, Silent
from nas.strategies.differentiable.selections.tuning import Tuning
from nas.strategies.differentiable.strategy import Batch, DifferentiableStrategy

MakeStrategy = Callable[..., DifferentiableStrategy]


class Two:
    """One batch a half, again and again."""

    def __init__(self, batches: tuple[Batch, Batch]) -> None:
        self.progress: Progress = Silent()
        self.train, self.valid = batches
        self.asked: list[tuple[str, int]] = []

    def train_batches(self, epoch: int) -> Iterator[Batch]:
        self.asked.append(("train", epoch))
        return iter([self.train, self.train])

    def gate_batches(self, epoch: int) -> Iterator[Batch]:
        self.asked.append(("gates", epoch))
        return repeat(self.valid)

    def valid_batches(self) -> Iterator[Batch]:
        return iter([self.valid])


class Counted:
    done = 0

    def advance(self, **figures: float) -> None:
        self.done += 1


@pytest.fixture
def data(batches: tuple[Batch, Batch]) -> Two:
    return Two(batches)


def rates_of(strategy: DifferentiableStrategy, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Keep the learning rate of every step of the weights."""
    rates: list[float] = []
    step = strategy.weight_step

    def watched(batch: Batch) -> dict[str, float]:
        rates.append(strategy.weight_optimizer.param_groups[0]["lr"])
        assert strategy.weight_lr == rates[-1]  # which the second-order solver takes a step with
        return step(batch)

    monkeypatch.setattr(strategy, "weight_step", watched)
    return rates


def test_a_fresh_optimiser_at_a_tenth_with_one_cosine_over_all_decisions(
    make_strategy: MakeStrategy, data: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    strategy = make_strategy(
        weight_lr=0.2, weight_lr_min=0.004, perturbation_epochs=2, epochs=9, momentum=0.8,
        weight_decay=0.01,
    )  # fmt: skip
    before = strategy.weight_optimizer
    strategy.step(data.train, data.valid)
    tuning, bar = Tuning(strategy, data, 2), Counted()
    after = strategy.weight_optimizer
    assert after is not before
    assert type(after) is type(before)
    [group] = after.param_groups
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (0.02, 0.8, 0.01)
    assert not any(after.state[w]["momentum_buffer"].any() for w in strategy.weights)
    rates = rates_of(strategy, monkeypatch)
    tuning.run(bar)
    tuning.run(bar)
    root = 0.008 * 2**-0.5
    expected = [0.02, 0.012 + root, 0.012, 0.012 - root]
    assert rates == pytest.approx([rate for rate in expected for _ in range(2)])
    assert data.asked == [(half, 9 + n) for n in range(4) for half in ("train", "gates")]
    assert bar.done == tuning.total == 4


def test_a_rate_that_starts_below_the_lowest_is_constant(
    make_strategy: MakeStrategy, data: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    strategy = make_strategy(weight_lr=0.005, weight_lr_min=0.005, perturbation_epochs=3)
    tuning, rates = Tuning(strategy, data, 1), rates_of(strategy, monkeypatch)
    tuning.run(Counted())
    assert rates == pytest.approx([0.0005] * 6)


def test_without_epochs_nothing_moves(make_strategy: MakeStrategy, data: Two) -> None:
    strategy = make_strategy(perturbation_epochs=0)
    optimizer = strategy.weight_optimizer
    before = [w.detach().clone() for w in (*strategy.weights, *strategy.logits.values())]
    tuning = Tuning(strategy, data, 3)
    tuning.run(Counted())
    assert tuning.total == 0
    assert data.asked == []
    assert strategy.weight_optimizer is optimizer
    after = [*strategy.weights, *strategy.logits.values()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_decided_gates_run_what_was_decided_and_the_others_train(
    make_strategy: MakeStrategy, data: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    strategy = make_strategy(perturbation_epochs=1, gate_lr=0.1)
    decided = torch.tensor([0.0, 1.0, 0.0])
    strategy.decided["first"] = decided
    seen: list[Any] = []
    forward = strategy.supernet.forward
    monkeypatch.setattr(
        strategy.supernet, "forward", lambda x, w: (seen.append(w), forward(x, w))[1]
    )
    before = strategy.logits["second"].detach().clone()
    weights = [w.detach().clone() for w in strategy.weights]
    Tuning(strategy, data, 1).run(Counted())
    assert len(seen) == 4  # a step of the gates and one of the weights a batch
    assert all(torch.equal(w["first"], decided) for w in seen)
    assert not torch.equal(strategy.logits["second"], before)
    assert any(not torch.equal(a, b) for a, b in zip(weights, strategy.weights, strict=True))


@pytest.mark.parametrize("solver", ["first-order", "second-order", "single-level"])
def test_every_solver_can_go_on_when_all_is_decided(
    make_strategy: MakeStrategy, data: Two, solver: str
) -> None:
    strategy = make_strategy(perturbation_epochs=1, solver=solver)
    for name in strategy.logits:
        strategy.decided[name] = torch.tensor([0.0, 1.0, 0.0])
    logits = {name: a.detach().clone() for name, a in strategy.logits.items()}
    weights = [w.detach().clone() for w in strategy.weights]
    Tuning(strategy, data, 1).run(Counted())
    assert all(torch.equal(logits[name], a) for name, a in strategy.logits.items())
    assert any(not torch.equal(a, b) for a, b in zip(weights, strategy.weights, strict=True))
