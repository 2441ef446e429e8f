"""CompeteSMoE.

Source: Pham et al., CompeteSMoE: Effective Training of Sparse Mixture of Experts via Competition,
arXiv:2402.02526, sec. 3; affinity, rate and the weight of distillation as its second version has.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.moe.auxiliary import with_auxiliary
from nas.search_spaces.moe.experts import Experts
from nas.search_spaces.moe.routers.router import TokenChoice, balance_loss
from nas.search_spaces.moe.size import Size

__all__ = ["CompeteRouter"]


class CompeteRouter(TokenChoice):
    """Now and then all experts run, those that answer strongest win, and the router learns it.

    In a step of competition the affinity of an expert to a token is the mean softplus of its
    output; the k highest are used, and the router's scores are drawn towards the affinities (mean
    squared error). In other steps, and after training, the router's own scores choose.

    Args:
        dimension, experts, k, capacity, auxiliary: As for `TopKRouter`.
        rate: Part of the training steps that are competitions.
        warm_up: Training steps before the first one.
        distillation: Factor of the squared error.
    """

    steps: Tensor

    def __init__(
        self, dimension: int, experts: int, k: int = 1, capacity: float | None = None,
        auxiliary: float = 0.0, rate: float = 0.07, warm_up: int = 100,
        distillation: float = 0.01,
    ) -> None:  # fmt: skip
        super().__init__(experts, k, capacity, auxiliary)
        self.linear = nn.Linear(dimension, experts, bias=False)
        self.rate, self.warm_up, self.distillation = rate, warm_up, distillation
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def scores(self, x: Tensor, ids: Tensor | None, e: int) -> Tensor:
        del ids
        return F.linear(x, self.linear.weight[:e])

    def forward(
        self, x: Tensor, ids: Tensor | None = None, size: Size | None = None,
        experts: Experts | None = None,
    ) -> Tensor:  # fmt: skip
        if not self.training or experts is None:
            return super().forward(x, ids, size)
        self.steps += 1
        competes = bool(torch.rand(()) < self.rate) and int(self.steps) > self.warm_up
        return super().forward(x, ids, size, experts if competes else None)

    def gates(self, x: Tensor, ids: Tensor | None, size: Size, experts: Experts | None) -> Tensor:
        if experts is None:
            return super().gates(x, ids, size, None)
        scores = self.scores(x, ids, size.most_experts)
        affinity = F.softplus(experts.outputs(x, size)).mean(-1)
        error = F.mse_loss(scores.softmax(-1), affinity.detach().softmax(-1))
        won = self.limited(affinity, size, lambda taken, _: balance_loss(affinity, taken))
        return with_auxiliary(won, self.distillation * error)
