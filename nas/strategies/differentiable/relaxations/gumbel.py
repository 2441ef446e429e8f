"""Gumbel-softmax samples, soft (Xie et al., SNAS, ICLR 2019, arXiv:1812.09926, eq. 4)."""

from __future__ import annotations

import torch
from torch import Tensor

from nas import registry
from nas.strategies.differentiable.relaxations.relaxation import Relaxation

__all__ = ["GumbelSoftmax", "gumbel_like"]


def gumbel_like(logits: Tensor) -> Tensor:
    """Draw standard Gumbel noise of the shape of `logits`."""
    return -torch.empty_like(logits).exponential_().log()


@registry.register(
    "strategies.differentiable.relaxations",
    "gumbel",
    "w = softmax((log p + Gumbel noise) / temperature), p = softmax(a)",
    "Xie et al., SNAS, ICLR 2019, arXiv:1812.09926, eq. 4",
)
class GumbelSoftmax(Relaxation):
    """w = softmax((log softmax(a) + g) / temperature) with Gumbel noise g; all options run."""

    def weights(self, logits: Tensor, temperature: float) -> Tensor:
        noisy = logits.log_softmax(-1) + gumbel_like(logits)
        return (noisy / temperature).softmax(-1)
