"""What a solver is: how gates and weights are trained in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

if TYPE_CHECKING:
    from nas.strategies.differentiable.protocols import Batch, GateTraining

__all__ = ["Solver", "gate_gradients", "gate_step"]


class Solver(Protocol):
    """One approach to: min over a of L_valid(w*(a), a) where w*(a) minimises L_train(w, a)."""

    def step(
        self, strategy: GateTraining, train_batch: Batch, valid_batch: Batch
    ) -> dict[str, float]:
        """Train the gates and the weights by one step each; return the strategy's figures."""


def gate_gradients(
    loss: Tensor, strategy: GateTraining, retain_graph: bool = False
) -> list[Tensor | None]:
    """Return the gradient of a loss for the logits of every gate, None for one that did not run.

    Gradients of weights are not computed.
    """
    gates = list(strategy.logits.values())
    if not loss.requires_grad:  # every gate drew what does not run
        return [None] * len(gates)
    return list(torch.autograd.grad(loss, gates, retain_graph=retain_graph, allow_unused=True))


def gate_step(strategy: GateTraining, batch: Batch) -> dict[str, float]:
    """Train the gates by one step with the weights as they are; return the strategy's figures."""
    with strategy.fixed_weights():
        loss, figures = strategy.gate_loss(batch)
        strategy.apply_gate_gradients(gate_gradients(loss, strategy))
    return figures
