"""Gates and weights on the same data."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from nas.strategies.differentiable.strategy import Batch, DifferentiableStrategy

MakeStrategy = Callable[..., DifferentiableStrategy]


def test_both_batches_train_gates_and_weights(
    make_strategy: MakeStrategy, batches: tuple[Batch, Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    strategy = make_strategy(solver="single-level", gate_lr=0.1)
    train, valid = batches
    calls: list[tuple[str, bool]] = []
    gate_loss, weight_step = strategy.gate_loss, strategy.weight_step
    monkeypatch.setattr(
        strategy, "gate_loss", lambda b: calls.append(("gates", b is train)) or gate_loss(b)
    )
    monkeypatch.setattr(
        strategy, "weight_step", lambda b: calls.append(("weights", b is train)) or weight_step(b)
    )
    before = [a.detach().clone() for a in strategy.logits.values()]
    figures = strategy.step(train, valid)
    assert sorted(calls) == [(w, b) for w in ("gates", "weights") for b in (False, True)]
    assert [what for what, _ in calls] == ["gates", "weights"] * 2
    assert all(not torch.equal(a, b) for a, b in zip(strategy.logits.values(), before, strict=True))
    assert figures["train_count"] == figures["valid_count"] == 16


def test_figures_are_of_their_own_batches(
    make_strategy: MakeStrategy, batches: tuple[Batch, Batch]
) -> None:
    (x, y), valid = batches
    figures = make_strategy(solver="single-level").step((x[:10], y[:10]), valid)
    assert figures["train_count"] == 10
    assert figures["valid_count"] == 16
