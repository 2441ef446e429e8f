"""What a solver is: how gates and weights are trained in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

if TYPE_CHECKING:
    from nas.strategies.differentiable.strategy import Batch, DifferentiableStrategy

__all__ = ["Solver", "gate_gradients"]


class Solver(Protocol):
    """One approach to: min over a of L_valid(w*(a), a) where w*(a) minimises L_train(w, a)."""

    def step(
        self, strategy: DifferentiableStrategy, train_batch: Batch, valid_batch: Batch
    ) -> dict[str, float]:
        """Train the gates and the weights by one step each; return the strategy's figures."""


def gate_gradients(
    loss: Tensor, strategy: DifferentiableStrategy, retain_graph: bool = False
) -> list[Tensor | None]:
    """Return the gradient of a loss for the logits of every gate, None for one that did not run.

    Gradients of weights are not computed.
    """
    gates = list(strategy.logits.values())
    return list(torch.autograd.grad(loss, gates, retain_graph=retain_graph, allow_unused=True))
