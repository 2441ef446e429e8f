"""Weights drawn from a Dirichlet distribution (Chen et al., DrNAS, arXiv:2006.10355, sec. 3.1)."""

from __future__ import annotations

from torch import Tensor
from torch.distributions import Dirichlet
from torch.nn import functional as F

from nas import registry
from nas.strategies.differentiable.relaxations.relaxation import Relaxation

__all__ = ["DirichletSample", "concentration"]

_SMALLEST = 1e-4


def concentration(logits: Tensor) -> Tensor:
    """Return the concentration elu(a) + 1; it is 1 (uniform) at a = 0."""
    return (F.elu(logits) + 1.0).clamp_min(_SMALLEST)


@registry.register(
    "strategies.differentiable.relaxations",
    "dirichlet",
    "w ~ Dirichlet(elu(a) + 1), reparameterised gradient",
    "Chen et al., DrNAS, ICLR 2021, arXiv:2006.10355, sec. 3.1",
)
class DirichletSample(Relaxation):
    """w ~ Dirichlet(elu(a) + 1), with PyTorch's pathwise gradient of the sample.

    The architecture is read from the mean of the distribution.
    """

    def weights(self, logits: Tensor, temperature: float) -> Tensor:
        del temperature
        sample: Tensor = Dirichlet(concentration(logits)).rsample()
        return sample

    def scores(self, logits: Tensor) -> Tensor:
        beta = concentration(logits)
        return beta / beta.sum()
