"""Gates alone are trained."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from nas.strategies.differentiable.strategy import Batch, DifferentiableStrategy

MakeStrategy = Callable[..., DifferentiableStrategy]


def test_weights_stay_as_they_are(
    make_strategy: MakeStrategy, batches: tuple[Batch, Batch]
) -> None:
    strategy = make_strategy(solver="frozen-weights", relaxation="unit-norm", gate_lr=0.1)
    state = {name: w.clone() for name, w in strategy.supernet.state_dict().items()}
    before = {name: a.detach().clone() for name, a in strategy.logits.items()}
    for _ in range(3):
        figures = strategy.step(*batches)
    assert figures["valid_count"] == 16 and "train_count" not in figures
    assert all(torch.equal(w, state[n]) for n, w in strategy.supernet.state_dict().items())
    assert all(not torch.equal(a, before[name]) for name, a in strategy.logits.items())


def test_the_loss_falls(make_strategy: MakeStrategy, batches: tuple[Batch, Batch]) -> None:
    strategy = make_strategy(solver="frozen-weights", relaxation="unit-norm", gate_lr=0.05)
    losses = [strategy.step(*batches)["valid_loss"] for _ in range(30)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("normalised", [False, True])
def test_only_batch_norm_needs_the_training_mode(
    make_strategy: MakeStrategy,
    batches: tuple[Batch, Batch],
    normalised: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    strategy = make_strategy(solver="frozen-weights", relaxation="unit-norm")
    if normalised:
        strategy.supernet.network.stem = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6))
    modes: list[bool] = []
    loss = strategy.gate_loss

    def seen(batch: Batch) -> tuple[Tensor, dict[str, float]]:
        modes.append(strategy.supernet.training)
        return loss(batch)

    monkeypatch.setattr(strategy, "gate_loss", seen)
    strategy.step(*batches)
    assert modes == [normalised]
