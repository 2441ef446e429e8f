"""Soft merging of experts with adaptive routing.

Source: Muqeeth et al., Soft Merging of Experts with Adaptive Routing, TMLR 2024,
arXiv:2306.03745, sec. 3; its code: layer norm before the router, whose weights start at 1e-2.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.moe.experts import Experts
from nas.search_spaces.moe.routers.router import Router, with_shares
from nas.search_spaces.moe.size import Size, mixed

__all__ = ["SmearRouter"]


class SmearRouter(Router):
    """One expert a sequence runs, whose weights are the average of all experts' weights.

    The average is weighted by the router's softmax for the mean of the sequence, later tokens
    too: not for causal models. In training every expert is left out with some probability.

    Args:
        dimension: Of tokens.
        experts: Number of experts.
        dropout: Probability that an expert is left out of a sequence's average, in training.
    """

    def __init__(self, dimension: int, experts: int, dropout: float = 0.1) -> None:
        super().__init__(experts)
        self.dropout = dropout
        self.norm = nn.LayerNorm(dimension)
        self.linear = nn.Linear(dimension, experts, bias=False)
        nn.init.normal_(self.linear.weight, std=1e-2)

    def forward(self, x: Tensor, size: Size | None = None) -> Tensor:
        """Return the weights of experts for sequences, [B, e].

        Args:
            x: Tokens, [B, T, d].
            size: What runs; None: all experts.
        """
        weight = self.linear.weight[: size.most_experts if size else None]
        logits, total = F.linear(self.norm(x.mean(1)), weight), None
        if size:
            logits, total = with_shares(logits, size)
        weights = logits.softmax(-1)
        if self.training and self.dropout and weights.shape[-1] > 1:
            kept = torch.rand_like(weights) >= self.dropout
            kept = kept | ~kept.any(-1, keepdim=True)  # never none
            weights = weights * kept
            weights = weights / weights.sum(-1, keepdim=True)
        return mixed(weights, total)

    def run(self, x: Tensor, ids: Tensor, experts: Experts, size: Size) -> Tensor:
        del ids
        return experts.merged(x, self(x, size), size)
