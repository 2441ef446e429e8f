"""Expert choice routing.

Source: Zhou et al., Mixture-of-Experts with Expert Choice Routing, NeurIPS 2022,
arXiv:2202.09368, sec. 3.2.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.moe.dispatch import within
from nas.search_spaces.moe.experts import Experts
from nas.search_spaces.moe.routers.router import Gating, best, ranks, with_shares
from nas.search_spaces.moe.size import Size, mixed, only

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

    def gates(self, x: Tensor, ids: Tensor | None, size: Size, experts: Experts | None) -> Tensor:
        del ids, experts
        scores, total = with_shares(F.linear(x, self.linear.weight[: size.most_experts]), size)
        gates = scores.softmax(-1)
        room = self.room(x.shape[1], size)
        if room is not None:
            return mixed(gates * best(gates.transpose(1, 2), room).transpose(1, 2), total)
        place = ranks(gates.transpose(1, 2)).transpose(1, 2) + 1  # of tokens, for every expert
        return mixed(gates * within(place, size._replace(k=only(1))), total)

    def room(self, tokens: int, size: Size) -> int | None:
        return super().room(tokens, size._replace(k=only(1)))
