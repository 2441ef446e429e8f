"""A mixture of experts as it is written plainly: a module for every expert, and a loop over them.

After the published programs of Switch (Fedus et al., JMLR 2022, arXiv:2101.03961, sec. 2.1, 2.2)
and Mixtral (Jiang et al., arXiv:2401.04088, sec. 2.1): softmax, top k, and for every expert the
tokens that chose it are picked, run and added to where they came from.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.moe import MoELayer, TopKRouter

__all__ = ["Expert", "ExpertLoop"]


class Expert(nn.Module):
    """Two layers with GELU in between, no biases."""

    def __init__(self, dimension: int, hidden: int) -> None:
        super().__init__()
        self.first = nn.Linear(dimension, hidden, bias=False)
        self.second = nn.Linear(hidden, dimension, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(F.gelu(self.first(x)))
        return y


class ExpertLoop(nn.Module):
    """Top-k routing with limited capacity in each sequence; overflow passes by.

    Args:
        dimension: Of tokens.
        hidden: Units of an expert.
        experts: How many.
        k: Experts a token.
        capacity: Room of an expert, as a multiple of what equal loads would need.
        everything: Whether every expert runs on all tokens, and what it should not have seen is
            multiplied by zero; else it runs on the tokens that it has.
    """

    def __init__(
        self, dimension: int, hidden: int, experts: int, k: int, capacity: float, everything: bool
    ) -> None:
        super().__init__()
        self.k, self.capacity, self.everything = k, capacity, everything
        self.router = nn.Linear(dimension, experts, bias=False)
        self.experts = nn.ModuleList(Expert(dimension, hidden) for _ in range(experts))

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, T, d] to [B, T, d]."""
        tokens, count = x.shape[1], len(self.experts)
        room = math.ceil(self.capacity * self.k * tokens / count)
        weights, chosen = self.router(x).softmax(-1).topk(self.k, dim=-1)  # [B, T, k]
        flat, total = x.flatten(0, 1), torch.zeros_like(x).flatten(0, 1)
        for number, expert in enumerate(self.experts):
            mine = chosen == number
            weight = (weights * mine).sum(-1)  # [B, T]
            wanted = mine.any(-1)
            gate = (weight * (wanted & (wanted.cumsum(1) <= room))).flatten()
            if self.everything:
                total = total + gate.unsqueeze(-1) * expert(flat)
                continue
            at = gate.nonzero().squeeze(1)
            total = total.index_add(0, at, gate[at].unsqueeze(-1) * expert(flat[at]))
        return total.view(x.shape)

    @torch.no_grad()
    def take_weights(self, layer: MoELayer) -> ExpertLoop:
        """Copy the weights of a stacked layer with the router top-k; return self."""
        assert isinstance(layer.router, TopKRouter)
        self.router.weight.copy_(layer.router.linear.weight)
        for number, expert in enumerate(self.experts):
            assert isinstance(expert, Expert)
            expert.first.weight.copy_(layer.experts.w1[number].t())
            expert.second.weight.copy_(layer.experts.w2[number].t())
        return self

    def stacked_gradients(self) -> list[Tensor]:
        """Return the gradients as a stacked layer has them: of its router and its two weights."""
        pairs = [(e.first.weight.grad, e.second.weight.grad) for e in self._experts()]
        first, second = ([_given(g).t() for g in column] for column in zip(*pairs, strict=True))
        return [_given(self.router.weight.grad), torch.stack(first), torch.stack(second)]

    def _experts(self) -> list[Expert]:
        return [expert for expert in self.experts if isinstance(expert, Expert)]


def _given(gradient: Tensor | None) -> Tensor:
    assert gradient is not None
    return gradient
