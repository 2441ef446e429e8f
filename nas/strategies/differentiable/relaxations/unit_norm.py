"""Weights on the unit sphere (Xu et al., NAC, ICML 2023, arXiv:2305.14065, sec. 4)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from nas import registry
from nas.strategies.differentiable.relaxations.relaxation import Relaxation

__all__ = ["UnitNorm", "direction"]


def direction(logits: Tensor) -> Tensor:
    """Return (1 + a) / |1 + a|_2; at a = 0 all options weigh the same."""
    return F.normalize(1.0 + logits, p=2.0, dim=-1)


@registry.register(
    "strategies.differentiable.relaxations",
    "unit-norm",
    "w = (1 + a) / |1 + a|, so that weights may be zero or below",
    "Xu et al., Do Not Train It: A Linear Neural Architecture Search of Graph Neural Networks "
    "(NAC), ICML 2023, arXiv:2305.14065",
)
class UnitNorm(Relaxation):
    """w = (1 + a) / |1 + a|_2: a code, not a distribution.

    NAC writes it as b / |b|_2 with all b at 1e-3 at first; a is b in units of that start.
    """

    def weights(self, logits: Tensor, temperature: float) -> Tensor:
        del temperature
        return direction(logits)

    def scores(self, logits: Tensor) -> Tensor:
        return direction(logits)
