"""The gradient through one training step of the weights, by finite differences.

Source: Liu et al., DARTS, ICLR 2019, arXiv:1806.09055, eq. 6 to 8.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nas import registry
from nas.strategies.differentiable.solvers.solver import gate_gradients

if TYPE_CHECKING:
    from nas.strategies.differentiable.protocols import Batch, GateTraining

__all__ = ["SecondOrder"]

_EPSILON = 0.01


@registry.register(
    "strategies.differentiable.solvers",
    "second-order",
    "gate step on L_valid(w - xi grad L_train(w, a), a), by finite differences",
    "Liu et al., DARTS, ICLR 2019, arXiv:1806.09055, eq. 6-8",
)
class SecondOrder:
    """grad_a L_valid(w', a) - xi (grad_a L_train(w+, a) - grad_a L_train(w-, a)) / (2 eps).

    w' is w after one step of its optimiser with learning rate xi; w+- = w +- eps grad_w'
    L_valid(w', a), eps = 0.01 / |grad_w' L_valid|. Weights are moved in place and put back exactly.
    """

    def step(
        self, strategy: GateTraining, train_batch: Batch, valid_batch: Batch
    ) -> dict[str, float]:
        gradients, figures = self.gradients(strategy, train_batch, valid_batch)
        strategy.apply_gate_gradients(gradients)
        return figures | strategy.weight_step(train_batch)

    def gradients(
        self, strategy: GateTraining, train_batch: Batch, valid_batch: Batch
    ) -> tuple[list[Tensor | None], dict[str, float]]:
        """Return the gates' gradient, one tensor a gate, and the figures of the valid batch."""
        weights = [w for w in strategy.supernet.parameters() if w.requires_grad]
        with _restored(weights):
            _virtual_step(strategy, weights, train_batch)
            loss, figures = strategy.gate_loss(valid_batch)
            direct = gate_gradients(loss, strategy, retain_graph=True)
            vector = torch.autograd.grad(loss, weights, allow_unused=True)
        implicit = _hessian_vector(strategy, weights, vector, train_batch)
        xi = strategy.weight_lr
        pairs = zip(direct, implicit, strict=True)
        return [
            d if i is None else (-xi * i if d is None else d - xi * i) for d, i in pairs
        ], figures


@contextmanager
def _restored(weights: Sequence[Tensor]) -> Iterator[None]:
    """Put the weights back as they were, bit for bit, after a block that moves them."""
    saved = [w.detach().clone() for w in weights]
    try:
        yield
    finally:
        with torch.no_grad():
            for w, value in zip(weights, saved, strict=True):
                w.copy_(value)


def _train_gradients(
    strategy: GateTraining, weights: Sequence[Tensor], batch: Batch
) -> tuple[Tensor | None, ...]:
    _, loss = strategy.forward(batch, detach=True)
    return torch.autograd.grad(loss, weights, allow_unused=True)


@torch.no_grad()
def _move(weights: Sequence[Tensor], vector: Sequence[Tensor | None], step: float) -> None:
    for w, v in zip(weights, vector, strict=True):
        if v is not None:
            w.add_(v, alpha=step)


def _virtual_step(strategy: GateTraining, weights: Sequence[Tensor], batch: Batch) -> None:
    """Move the weights by one step of SGD with the optimiser's momentum and weight decay."""
    with torch.enable_grad():
        gradients = _train_gradients(strategy, weights, batch)
    settings, state = strategy.settings, strategy.weight_optimizer.state
    with torch.no_grad():
        for w, gradient in zip(weights, gradients, strict=True):
            momentum = state[w].get("momentum_buffer") if w in state else None
            direction = settings.weight_decay * w
            if gradient is not None:
                direction = direction + gradient
            if momentum is not None:
                direction = direction + settings.momentum * momentum
            w.sub_(direction, alpha=strategy.weight_lr)


def _hessian_vector(
    strategy: GateTraining,
    weights: Sequence[Tensor],
    vector: Sequence[Tensor | None],
    batch: Batch,
) -> list[Tensor | None]:
    """Return (d2 L_train / da dw) vector by central differences."""
    norm = torch.stack([v.norm() for v in vector if v is not None]).norm().item()
    eps = _EPSILON / max(norm, 1e-12)
    with _restored(weights):
        _move(weights, vector, eps)
        with torch.random.fork_rng():  # a relaxation that draws must draw the same twice
            plus = _gate_gradients_on(strategy, batch)
        _move(weights, vector, -2 * eps)
        minus = _gate_gradients_on(strategy, batch)
    return [
        None if p is None or m is None else (p - m) / (2 * eps)
        for p, m in zip(plus, minus, strict=True)
    ]


def _gate_gradients_on(strategy: GateTraining, batch: Batch) -> list[Tensor | None]:
    with strategy.fixed_weights():
        _, loss = strategy.forward(batch)
        return gate_gradients(loss, strategy)
