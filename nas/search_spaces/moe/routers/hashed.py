"""Hash layers.

Source: Roller et al., Hash Layers for Large Sparse Models, NeurIPS 2021, arXiv:2106.04426, sec. 3.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nas.search_spaces.moe.dispatch import admitted, room
from nas.search_spaces.moe.experts import Experts
from nas.search_spaces.moe.routers.router import Gating
from nas.search_spaces.moe.size import Size, mixed

__all__ = ["HashRouter"]

_SEED = 0  # the map is fixed: the same in every network


class HashRouter(Gating):
    """A fixed random map from what a token is (or where it stands) to one expert.

    Args:
        vocabulary: Number of different tokens, or of places.
        experts: Number of experts.
        capacity: As for `TopKRouter`.
    """

    table: Tensor

    def __init__(self, vocabulary: int, experts: int, capacity: float | None = None) -> None:
        super().__init__(experts, 1, capacity)
        generator = torch.Generator().manual_seed(_SEED)
        self.register_buffer("table", torch.randperm(vocabulary, generator=generator))

    def gates(
        self, x: Tensor, ids: Tensor | None, e: int, size: Size, experts: Experts | None
    ) -> Tensor:
        del experts
        assert ids is not None, "HashRouter needs the numbers of tokens"
        expert = self.table[ids] % e
        taken = expert.unsqueeze(-1) == torch.arange(e, device=x.device)
        total = x.new_zeros(taken.shape)
        for factor, weight in size.capacity:
            full = x.shape[1] if factor == float("inf") else room(factor, 1, x.shape[1], e)
            total = total + mixed(admitted(taken, full).to(x.dtype), weight)
        return total

    def room(self, tokens: int, size: Size) -> int | None:
        return super().room(tokens, size._replace(k=((1, None),)))
