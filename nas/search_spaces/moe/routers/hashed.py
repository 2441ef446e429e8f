"""Hash layers.

Source: Roller et al., Hash Layers for Large Sparse Models, NeurIPS 2021, arXiv:2106.04426, sec. 3.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nas.search_spaces.moe.dispatch import admitted
from nas.search_spaces.moe.experts import Experts
from nas.search_spaces.moe.routers.router import Gating, padded
from nas.search_spaces.moe.size import Size, mixed, only

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

    def gates(self, x: Tensor, ids: Tensor | None, size: Size, experts: Experts | None) -> Tensor:
        del experts
        assert ids is not None, "HashRouter needs the numbers of tokens"
        total = x.new_zeros(*x.shape[:2], size.most_experts)
        for e, weight in size.experts:
            taken = (self.table[ids] % e).unsqueeze(-1) == torch.arange(e, device=x.device)
            kept = admitted(taken, size._replace(experts=only(e), k=only(1)))
            total = total + padded(mixed(taken * kept, weight), size)
        return total

    def room(self, tokens: int, size: Size) -> int | None:
        return super().room(tokens, size._replace(k=only(1)))
