"""Autonomy of experts.

Source: Lv et al., Autonomy-of-Experts Models, ICML 2025, arXiv:2501.13074, sec. 3.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nas.search_spaces.moe.experts import Experts
from nas.search_spaces.moe.routers.router import TokenChoice, keep_top
from nas.search_spaces.moe.size import Size

__all__ = ["AutonomyRouter"]


class AutonomyRouter(TokenChoice):
    """Experts judge for themselves: the norm of their first activation is their score.

    The first layer of every expert has two factors, [d, r] and [r, H]. All experts compute the
    small first product, whose norm is the score; those among the best k go on from it.

    Args:
        dimension: Of tokens, d.
        experts: Number of experts.
        hidden: Hidden units of an expert, H.
        k, capacity, auxiliary: As for `TopKRouter`.
        rank: r; None is a quarter of the dimension.
    """

    def __init__(
        self, dimension: int, experts: int, hidden: int, k: int = 1, capacity: float | None = None,
        auxiliary: float = 0.0, rank: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__(experts, k, capacity, auxiliary)
        r = rank or max(1, dimension // 4)
        self.down = nn.Parameter(torch.randn(experts, dimension, r) * dimension**-0.5)
        self.up = nn.Parameter(torch.randn(experts, r, hidden) * (3 * r) ** -0.5)

    def low(self, x: Tensor, e: int) -> Tensor:
        """Return tokens times the first factor of the first e experts, [B, T, e, r]."""
        down = self.down[:e]
        product = x @ down.transpose(0, 1).reshape(x.shape[-1], -1)
        return product.view(*x.shape[:-1], e, down.shape[-1])

    def scores(self, x: Tensor, ids: Tensor | None, e: int) -> Tensor:
        """Return the scores of tokens [B, T, d], or from what `low` gives for them."""
        del ids
        low = self.low(x, e) if x.dim() == 3 else x
        norms: Tensor = torch.linalg.vector_norm(low, dim=-1)
        return norms

    def weigh(self, scores: Tensor, taken: Tensor) -> Tensor:
        return keep_top(scores, taken)

    def run(self, x: Tensor, ids: Tensor, experts: Experts, size: Size) -> Tensor:
        low = self.low(x, size.most_experts)
        gates = self(low, ids, size)
        up = self.up[: size.most_experts, :, : size.most_width]
        return experts.routed(x, gates, size, self.room(x.shape[1], size), low, up)
