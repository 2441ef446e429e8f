"""HyperRouter.

Source: Do et al., HyperRouter: Towards Efficient Training and Inference of Sparse Mixture of
Experts, EMNLP 2023, arXiv:2312.07035, sec. 3.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.moe.routers.router import TokenChoice

__all__ = ["HyperRouter"]


class HyperRouter(TokenChoice):
    """The weights of a top-k router are made by a fixed random network from a learned embedding.

    Only the embedding is trained, so that the router changes but slowly and in few directions.

    Args:
        dimension, experts, k, capacity, auxiliary: As for `TopKRouter`.
        embedding: Numbers in the learned embedding.
        hidden: Units of the fixed network.
    """

    first: Tensor
    second: Tensor

    def __init__(
        self, dimension: int, experts: int, k: int = 1, capacity: float | None = None,
        auxiliary: float = 0.0, embedding: int = 32, hidden: int = 64,
    ) -> None:  # fmt: skip
        super().__init__(experts, k, capacity, auxiliary)
        self.embedding = nn.Parameter(torch.randn(embedding))
        self.register_buffer("first", torch.randn(hidden, embedding) * (2 / embedding) ** 0.5)
        wide = torch.randn(experts, dimension, hidden)
        self.register_buffer("second", wide * (hidden * dimension) ** -0.5)

    def scores(self, x: Tensor, ids: Tensor | None, e: int) -> Tensor:
        del ids
        hidden = F.relu(self.first @ self.embedding)
        return F.linear(x, self.second[:e] @ hidden)
