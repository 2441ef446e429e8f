"""Gates on one half of the data, weights on the other."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from nas.search_spaces.nas_bench_201 import NASBench201
from nas.strategies.differentiable.settings import DifferentiableSettings
from nas.strategies.differentiable.solvers.solver import gate_gradients
from nas.strategies.differentiable.strategy import Batch, DifferentiableStrategy
from nas.task import Task

MakeStrategy = Callable[..., DifferentiableStrategy]


def test_the_gates_gradient_is_that_of_plain_backward(
    make_strategy: MakeStrategy, batches: tuple[Batch, Batch]
) -> None:
    strategy = make_strategy(regularisers=("entropy",), regulariser_scale=0.1)
    loss, _ = strategy.gate_loss(batches[1])
    ours = gate_gradients(loss, strategy)
    assert all(w.grad is None for w in strategy.supernet.parameters())
    loss, _ = strategy.gate_loss(batches[1])
    loss.backward()
    for gradient, logits in zip(ours, strategy.logits.values(), strict=True):
        assert gradient is not None and logits.grad is not None
        assert torch.allclose(gradient, logits.grad, rtol=1e-12)
    assert all(w.grad is not None for w in strategy.supernet.parameters())


def test_the_gradient_is_that_of_finite_differences(
    make_strategy: MakeStrategy, batches: tuple[Batch, Batch]
) -> None:
    strategy = make_strategy()
    loss, _ = strategy.gate_loss(batches[1])
    first = gate_gradients(loss, strategy)[0]
    assert first is not None
    logits = strategy.logits["first"]
    for i, eps in ((0, 1e-5), (2, 1e-5)):
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                logits[i] += sign * eps
                values.append(strategy.gate_loss(batches[1])[0].item())
                logits[i] -= sign * eps
        assert first[i].item() == pytest.approx((values[0] - values[1]) / (2 * eps), rel=1e-5)


def test_the_gate_step_comes_first_and_leaves_no_gradient_of_weights(
    make_strategy: MakeStrategy, batches: tuple[Batch, Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    strategy = make_strategy(gate_lr=0.1)
    before = {name: a.detach().clone() for name, a in strategy.logits.items()}
    weights = [w.detach().clone() for w in strategy.supernet.parameters()]
    seen = []

    def weight_step(batch: Batch) -> dict[str, float]:
        seen.append(batch)
        assert all(w.grad is None for w in strategy.supernet.parameters())
        now = zip(weights, strategy.supernet.parameters(), strict=True)
        assert all(torch.equal(old, new) for old, new in now)
        assert all(not torch.equal(before[name], a) for name, a in strategy.logits.items())
        return {"train_loss": 1.0}

    monkeypatch.setattr(strategy, "weight_step", weight_step)
    figures = strategy.step(*batches)
    assert len(seen) == 1 and seen[0] is batches[0]
    assert figures["train_loss"] == 1.0
    assert figures["valid_count"] == 16


def test_the_gates_step_is_adams(make_strategy: MakeStrategy, batches: tuple[Batch, Batch]) -> None:
    """The first step of Adam moves every logit by the learning rate against its gradient."""
    strategy = make_strategy(gate_lr=0.1, gate_weight_decay=0.0)
    loss, _ = strategy.gate_loss(batches[1])
    gradients = gate_gradients(loss, strategy)
    before = [a.detach().clone() for a in strategy.logits.values()]
    strategy.step(*batches)
    for a, old, gradient in zip(strategy.logits.values(), before, gradients, strict=True):
        assert gradient is not None
        assert torch.allclose(a, old - 0.1 * gradient.sign(), atol=1e-5)


def test_the_weights_step_does_not_move_the_gates(
    make_strategy: MakeStrategy, batches: tuple[Batch, Batch]
) -> None:
    strategy = make_strategy()
    before = [a.detach().clone() for a in strategy.logits.values()]
    strategy.weight_step(batches[0])
    assert all(torch.equal(a, b) for a, b in zip(strategy.logits.values(), before, strict=True))
    assert all(a.grad is None for a in strategy.logits.values())


def test_the_weights_gradient_is_clipped(
    make_strategy: MakeStrategy, batches: tuple[Batch, Batch]
) -> None:
    strategy = make_strategy(grad_clip=1e-3, momentum=0.0, weight_decay=0.0, weight_lr=1.0)
    before = [w.detach().clone() for w in strategy.supernet.parameters()]
    strategy.weight_step(batches[0])
    moved = zip(strategy.supernet.parameters(), before, strict=True)
    norm = torch.stack([(w.detach() - b).norm() for w, b in moved]).norm().item()
    assert norm == pytest.approx(1e-3, rel=1e-3)


def test_gates_that_did_not_run_stay(tiny_task: Task) -> None:
    """With every gate but one drawn as none, what is behind does not matter, and nothing fails."""
    supernet = NASBench201().supernet(tiny_task.info, channels=4, cells=1)
    settings = DifferentiableSettings(relaxation="gumbel-hard", gate_weight_decay=0.0)
    strategy = DifferentiableStrategy(settings, supernet, tiny_task)
    with torch.no_grad():
        for logits in strategy.logits.values():
            logits[0] += 1000.0  # none
    batch = next(iter(tiny_task.batches("valid", 20)))
    before = {name: a.detach().clone() for name, a in strategy.logits.items()}
    figures = strategy.step(batch, batch)
    assert figures["valid_count"] == 20
    assert all(torch.equal(a, before[name]) for name, a in strategy.logits.items())
