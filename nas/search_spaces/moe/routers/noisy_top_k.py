"""Noisy top-k gating.

Source: Shazeer et al., Outrageously Large Neural Networks, ICLR 2017, arXiv:1701.06538, sec. 2.1,
sec. 4, app. A.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.moe.experts import Experts
from nas.search_spaces.moe.routers.router import TokenChoice, keep_top
from nas.search_spaces.moe.size import Size

__all__ = ["NoisyTopKRouter"]

_LEAST_NOISE = 1e-2


class NoisyTopKRouter(TokenChoice):
    """Scores get learned Gaussian noise in training; the softmax is over the best k.

    With k = 1 its weight is always one, so that only the auxiliary loss trains the scores.

    Args:
        dimension, experts, k, capacity: As for `TopKRouter`.
        auxiliary: Factor of the losses CV(importance)^2 + CV(load)^2.
    """

    def __init__(
        self, dimension: int, experts: int, k: int = 2, capacity: float | None = None,
        auxiliary: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(experts, k, capacity, auxiliary)
        self.linear = nn.Linear(dimension, experts, bias=False)
        self.noise = nn.Linear(dimension, experts, bias=False)

    def scores(self, x: Tensor, ids: Tensor | None, e: int) -> Tensor:
        """Return the scores without noise."""
        del ids
        return F.linear(x, self.linear.weight[:e])

    def gates(self, x: Tensor, ids: Tensor | None, size: Size, experts: Experts | None) -> Tensor:
        del experts
        e = size.most_experts
        clean = noisy = self.scores(x, ids, e)
        spread = F.softplus(F.linear(x, self.noise.weight[:e])) + _LEAST_NOISE
        if self.training:
            noisy = clean + torch.randn_like(clean) * spread

        def loss(taken: Tensor, gates: Tensor) -> Tensor:
            importance = gates.sum((0, 1))
            return _variation(importance) + _variation(_load(clean, spread, noisy, taken))

        return self.limited(noisy, size, loss)

    def weigh(self, scores: Tensor, taken: Tensor) -> Tensor:
        return keep_top(scores, taken)


def _load(clean: Tensor, spread: Tensor, noisy: Tensor, taken: Tensor) -> Tensor:
    """Return the smooth estimate of loads, [E] (app. A).

    It is the sum over tokens of the probability that fresh noise would choose an expert.
    """
    k, e = int(taken[0, 0].sum()), clean.shape[-1]
    if k == e:
        return torch.full_like(clean[0, 0], float(clean[..., 0].numel()))
    best = noisy.topk(k + 1, dim=-1).values
    # To be among the top k, an expert has to beat the k-th best of the others.
    bar = torch.where(taken, best[..., k:], best[..., k - 1 : k])
    z = (clean - bar) / spread
    return (0.5 * (1 + torch.erf(z / math.sqrt(2)))).sum((0, 1))


def _variation(x: Tensor) -> Tensor:
    """Return the squared coefficient of variation of [E]."""
    return x.var(correction=0) / (x.mean() ** 2 + 1e-10)
