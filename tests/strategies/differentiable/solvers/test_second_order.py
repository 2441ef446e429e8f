"""The gradient through one training step, against the exact one by automatic differentiation."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from nas.strategies.differentiable.solvers.second_order import SecondOrder
from nas.strategies.differentiable.solvers.solver import gate_gradients
from nas.strategies.differentiable.strategy import Batch, DifferentiableStrategy

MakeStrategy = Callable[..., DifferentiableStrategy]


def loss_at(strategy: DifferentiableStrategy, weights: dict[str, Tensor], batch: Batch) -> Tensor:
    """Return the loss with other weights in place of the supernet's."""
    gates = strategy.gate_weights()
    output = functional_call(strategy.supernet, weights, (batch[0], gates))
    return strategy.problem.loss(output, batch[1])


def exact(
    strategy: DifferentiableStrategy, train_batch: Batch, valid_batch: Batch
) -> tuple[list[Tensor], list[Tensor]]:
    """Return d/da of L_valid(w'(a), a), and the part of it that goes through w'(a)."""
    settings = strategy.settings
    weights = dict(strategy.supernet.named_parameters())
    loss = loss_at(strategy, weights, train_batch)
    gradients = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
    moved = {}
    for (name, w), gradient in zip(weights.items(), gradients, strict=True):
        state = strategy.weight_optimizer.state[w]
        direction = gradient + settings.weight_decay * w
        if state:
            direction = direction + settings.momentum * state["momentum_buffer"]
        moved[name] = w - strategy.weight_lr * direction
    logits = list(strategy.logits.values())
    total = torch.autograd.grad(loss_at(strategy, moved, valid_batch), logits, retain_graph=True)
    fixed = {name: w.detach().requires_grad_() for name, w in moved.items()}
    direct = torch.autograd.grad(loss_at(strategy, fixed, valid_batch), logits)
    return list(total), [t - d for t, d in zip(total, direct, strict=True)]


def relative(ours: Tensor, true: Tensor) -> float:
    return ((ours - true).norm() / true.norm()).item()


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_against_the_exact_gradient(
    make_strategy: MakeStrategy, batches: tuple[Batch, Batch], momentum: float
) -> None:
    strategy = make_strategy(momentum=momentum, weight_decay=0.1, weight_lr=0.5, grad_clip=1e9)
    for _ in range(3):  # so that there is momentum
        strategy.weight_step(batches[0])
    ours, _ = SecondOrder().gradients(strategy, *batches)
    total, implicit = exact(strategy, *batches)
    assert max(i.norm() for i in implicit) > 1e-3  # there is something to be compared
    for name, mine, true, part in zip(strategy.logits, ours, total, implicit, strict=True):
        assert mine is not None
        assert relative(mine, true) < 1e-3, name
        assert relative(mine - (true - part), part) < 1e-3, name


def test_without_a_step_it_is_first_order(
    make_strategy: MakeStrategy, batches: tuple[Batch, Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    strategy = make_strategy()
    monkeypatch.setattr(type(strategy), "weight_lr", 0.0)
    ours, _ = SecondOrder().gradients(strategy, *batches)
    loss, _ = strategy.gate_loss(batches[1])
    for mine, true in zip(ours, gate_gradients(loss, strategy), strict=True):
        assert mine is not None and true is not None
        assert torch.allclose(mine, true, rtol=1e-12)


def test_weights_are_put_back_bit_for_bit(
    make_strategy: MakeStrategy, batches: tuple[Batch, Batch]
) -> None:
    strategy = make_strategy(weight_lr=0.5)
    before = {name: w.detach().clone() for name, w in strategy.supernet.named_parameters()}
    SecondOrder().gradients(strategy, *batches)
    for name, w in strategy.supernet.named_parameters():
        assert torch.equal(w, before[name])
        assert w.grad is None


def test_weights_are_put_back_when_a_loss_fails(
    make_strategy: MakeStrategy, batches: tuple[Batch, Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    strategy = make_strategy(weight_lr=0.5)
    before = {name: w.detach().clone() for name, w in strategy.supernet.named_parameters()}

    def broken(batch: Batch) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(strategy, "gate_loss", broken)
    with pytest.raises(RuntimeError, match="broken"):
        SecondOrder().gradients(strategy, *batches)
    for name, w in strategy.supernet.named_parameters():
        assert torch.equal(w, before[name])


def test_both_sides_of_the_difference_draw_the_same(
    make_strategy: MakeStrategy, batches: tuple[Batch, Batch]
) -> None:
    """With a tiny eps a difference of different draws would be huge."""
    strategy = make_strategy(relaxation="gumbel", weight_lr=0.5)
    sizes = []
    for _ in range(10):
        ours, _ = SecondOrder().gradients(strategy, *batches)
        sizes.append(max(g.norm().item() for g in ours if g is not None))
    assert max(sizes) < 5


def test_a_step_trains_gates_then_weights(
    make_strategy: MakeStrategy, batches: tuple[Batch, Batch]
) -> None:
    strategy = make_strategy(solver="second-order", gate_lr=0.1)
    gates = [a.detach().clone() for a in strategy.logits.values()]
    weights = [w.detach().clone() for w in strategy.supernet.parameters()]
    figures = strategy.step(*batches)
    assert {"train_loss", "valid_loss"} <= figures.keys()
    for now, old in zip(strategy.logits.values(), gates, strict=True):
        assert not torch.equal(now, old)
    for new, was in zip(strategy.supernet.parameters(), weights, strict=True):
        assert not torch.equal(new, was)
