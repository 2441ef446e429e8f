"""Soft mixtures of experts.

Source: Puigcerver et al., From Sparse to Soft Mixtures of Experts, ICLR 2024, arXiv:2308.00951,
sec. 2.1, 2.3.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.moe.experts import Experts
from nas.search_spaces.moe.routers.router import Router
from nas.search_spaces.moe.size import Size, mixed

__all__ = ["SoftRouter"]


class SoftRouter(Router):
    """Experts run on slots, each an average of all tokens; a token is an average of all slots.

    Slots mix the tokens of a sequence, later ones too: not for causal models.

    Args:
        dimension: Of tokens.
        experts: Number of experts.
        tokens: Of a sequence. There are about as many slots, shared out equally among experts.
        fewest: Experts that are ever to run, where not always all do: fewer have more slots each.
    """

    def __init__(
        self, dimension: int, experts: int, tokens: int, fewest: int | None = None
    ) -> None:
        super().__init__(experts)
        self.tokens = tokens
        start = torch.randn(experts, -(-tokens // (fewest or experts)), dimension)
        self.slots = nn.Parameter(start * dimension**-0.5)
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor, e: int | None = None) -> tuple[Tensor, Tensor]:
        """Return the weights of tokens in slots, and of slots in tokens, both [B, T, e, S].

        Args:
            x: Tokens, [B, T, d].
            e: Number of experts, the first ones; None is all.
        """
        e = e or self.experts
        phi = F.normalize(self.slots[:e, : -(-self.tokens // e)], dim=-1)
        logits = torch.einsum("btd,esd->btes", F.normalize(x, dim=-1), phi * self.scale)
        return logits.softmax(1), logits.flatten(2).softmax(-1).view(logits.shape)

    def run(self, x: Tensor, ids: Tensor, experts: Experts, size: Size) -> Tensor:
        del ids
        total = torch.zeros_like(x)
        for e, weight in size.experts:
            dispatch, combine = self(x, int(e))
            y = experts.on_slots(torch.einsum("btes,btd->besd", dispatch, x), size)
            total = total + mixed(torch.einsum("btes,besd->btd", combine, y), weight)
        return total
