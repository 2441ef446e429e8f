"""Expert choice routing.

Source: Zhou et al., Mixture-of-Experts with Expert Choice Routing, NeurIPS 2022,
arXiv:2202.09368, sec. 3.2.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.moe.dispatch import room
from nas.search_spaces.moe.experts import Experts
from nas.search_spaces.moe.routers.router import Gating
from nas.search_spaces.moe.size import Size, mixed

__all__ = ["ExpertChoiceRouter"]


class ExpertChoiceRouter(Gating):
    """Every expert takes the tokens of a sequence that score highest: loads are equal.

    Whether a token is taken depends on the others of its sequence, later ones too: not for causal
    models.

    Args:
        dimension: Of tokens.
        experts: Number of experts.
        capacity: Experts that a token has on average; each takes capacity * T / E tokens.
    """

    def __init__(self, dimension: int, experts: int, capacity: float = 1.0) -> None:
        super().__init__(experts, 1, capacity)
        self.linear = nn.Linear(dimension, experts, bias=False)

    def gates(
        self, x: Tensor, ids: Tensor | None, e: int, size: Size, experts: Experts | None
    ) -> Tensor:
        del ids, experts
        scores = F.linear(x, self.linear.weight[:e]).softmax(-1)
        total = torch.zeros_like(scores)
        for factor, weight in size.capacity:
            best = scores.topk(room(factor, 1, x.shape[1], e), dim=1).indices
            taken = torch.zeros_like(scores).scatter(1, best, 1.0)
            total = total + mixed(scores * taken, weight)
        return total

    def room(self, tokens: int, size: Size) -> int | None:
        return super().room(tokens, size._replace(k=((1, None),)))
