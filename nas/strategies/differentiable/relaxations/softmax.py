"""Continuous relaxation by softmax (Liu et al., DARTS, arXiv:1806.09055, eq. 2)."""

from __future__ import annotations

from torch import Tensor

from nas import registry
from nas.strategies.differentiable.relaxations.relaxation import Relaxation

__all__ = ["Softmax"]


@registry.register(
    "strategies.differentiable.relaxations",
    "softmax",
    "w = softmax(a / temperature)",
    "Liu et al., DARTS, ICLR 2019, arXiv:1806.09055, eq. 2",
)
class Softmax(Relaxation):
    """w = softmax(a / temperature); the paper's temperature is 1."""

    def weights(self, logits: Tensor, temperature: float) -> Tensor:
        return (logits / temperature).softmax(-1)
