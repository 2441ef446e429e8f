"""The router of Switch and GShard.

Source: Fedus et al., Switch Transformers, JMLR 2022, arXiv:2101.03961, sec. 2.1, 2.2; Lepikhin et
al., GShard, ICLR 2021, arXiv:2006.16668, sec. 2.2.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.moe.routers.router import TokenChoice

__all__ = ["TopKRouter"]


class TopKRouter(TokenChoice):
    """A linear layer scores experts; a token goes to the best k, weighed by softmax over all.

    Args:
        dimension: Of tokens.
        experts: Number of experts.
        k: Experts a token.
        capacity: Capacity factor; None: experts take any load.
        auxiliary: Factor of the loss E * sum f_i P_i that balances loads.
    """

    def __init__(
        self, dimension: int, experts: int, k: int = 1, capacity: float | None = None,
        auxiliary: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(experts, k, capacity, auxiliary)
        self.linear = nn.Linear(dimension, experts, bias=False)

    def scores(self, x: Tensor, ids: Tensor | None, e: int) -> Tensor:
        del ids
        return F.linear(x, self.linear.weight[:e])
