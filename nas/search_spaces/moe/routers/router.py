"""What a router is, and what those have in common that weigh experts token by token."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.moe.auxiliary import with_auxiliary
from nas.search_spaces.moe.dispatch import admitted, room
from nas.search_spaces.moe.experts import Experts
from nas.search_spaces.moe.size import Size, mixed, only, shares

__all__ = [
    "Gating", "Router", "TokenChoice", "balance_loss", "best", "keep_top", "padded", "ranks",
    "with_shares",
]  # fmt: skip

_FEW = 4  # so many maxima are quicker to find than a top k
Loss = Callable[[Tensor, Tensor], Tensor]
"""From who takes which token (bool) and the weights of outputs, both [B, T, E], to a scalar."""


class Router(nn.Module):
    """Runs experts on tokens.

    Args:
        experts: How many there are.
    """

    def __init__(self, experts: int) -> None:
        super().__init__()
        self.experts = experts

    @abstractmethod
    def run(self, x: Tensor, ids: Tensor, experts: Experts, size: Size) -> Tensor:
        """Return what the experts give for tokens.

        Args:
            x: Tokens, [B, T, d].
            ids: A number that names each token, int64 [B, T]: of its letter or word, or its place.
            experts: Whose weights are run.
            size: What runs.

        Returns:
            [B, T, d].
        """


class Gating(Router):
    """A router that gives every expert's output a weight for every token.

    Args:
        experts: How many there are.
        k: Experts a token.
        capacity: Room of an expert, as a multiple of what equal loads would need; None: any load.
        auxiliary: Factor of the auxiliary loss, where the router has one.
    """

    def __init__(
        self, experts: int, k: int = 1, capacity: float | None = None, auxiliary: float = 0.0
    ) -> None:
        super().__init__(experts)
        factor = math.inf if capacity is None else capacity
        one = only(1)  # the width is the experts' business
        self.size = Size(only(experts), one, only(k), only(factor), auxiliary)

    def forward(
        self, x: Tensor, ids: Tensor | None = None, size: Size | None = None,
        experts: Experts | None = None,
    ) -> Tensor:  # fmt: skip
        """Return the weights of experts for tokens, [B, T, e]; zero: the expert is not run.

        Args:
            x: Tokens, [B, T, d].
            ids: See `Router.run`; only `HashRouter` needs them.
            size: What runs; None is what the router was made with.
            experts: Only `CompeteRouter` asks them.
        """
        return self.gates(x, ids, size or self.size, experts)

    @abstractmethod
    def gates(self, x: Tensor, ids: Tensor | None, size: Size, experts: Experts | None) -> Tensor:
        """Return what `forward` does."""

    def room(self, tokens: int, size: Size) -> int | None:
        """Return the most tokens of a sequence that an expert can have; None where it is open."""
        if not size.is_single:
            return None
        [(experts, _)], [(k, _)], [(factor, _)] = size.experts, size.k, size.capacity
        return room(factor, k, tokens, experts)

    def run(self, x: Tensor, ids: Tensor, experts: Experts, size: Size) -> Tensor:
        gates = self(x, ids, size, experts)
        return experts.routed(x, gates, size, self.room(x.shape[1], size))


class TokenChoice(Gating):
    """Every token takes the k experts of the highest score, as far as they have room."""

    @abstractmethod
    def scores(self, x: Tensor, ids: Tensor | None, e: int) -> Tensor:
        """Return the scores of the first e experts, [B, T, e]."""

    def weigh(self, scores: Tensor, taken: Tensor) -> Tensor:
        """Return the weights of experts, [B, T, e], where `taken` tells who is among the top k.

        Here the softmax over all experts, as Switch has it.
        """
        return scores.softmax(-1) * taken

    def gates(self, x: Tensor, ids: Tensor | None, size: Size, experts: Experts | None) -> Tensor:
        del experts
        scores = self.scores(x, ids, size.most_experts)
        return self.limited(scores, size, lambda taken, _: balance_loss(scores, taken))

    def limited(self, scores: Tensor, size: Size, loss: Loss) -> Tensor:
        """Choose by scores [B, T, e], and drop what experts have no room for.

        Args:
            scores: The higher the better.
            size: What runs.
            loss: The auxiliary loss, from who takes which token and with what weights, [B, T, e].
        """
        scores, total = with_shares(scores, size)
        by_rank = shares(size.k)
        taken = best(scores, min(max(int(k) for k, _ in size.k), size.most_experts))
        gates = self.weigh(scores, taken)
        if by_rank is None:
            limited = gates * admitted(taken, size)
        else:  # a mixture of k takes the best expert with all of its weight, the last with little
            share = F.pad(by_rank, (0, max(0, scores.shape[-1] - len(by_rank))))[ranks(scores)]
            limited = gates * share * admitted(share.detach() / by_rank[0].detach(), size)
        limited = mixed(limited, total)
        if self.training and (isinstance(size.auxiliary, Tensor) or size.auxiliary):
            limited = with_auxiliary(limited, size.auxiliary * loss(taken, gates))
        return limited


def with_shares(scores: Tensor, size: Size) -> tuple[Tensor, Tensor | None]:
    """Lower the scores of experts that not all of a mixture of sizes have.

    The softmax over them is that of the first experts where one size has all the weight.

    Args:
        scores: [..., e].
        size: What runs.

    Returns:
        The scores, and the total weight of the sizes (None: one), by which to multiply.
    """
    have = shares(size.experts)
    if have is None:
        return scores, None
    return scores + have.log(), have[0]


def best(scores: Tensor, k: int) -> Tensor:
    """Return which are among the k highest scores of the last dimension, bool [..., e]."""
    taken = torch.zeros_like(scores, dtype=torch.bool)
    if k >= scores.shape[-1]:
        return ~taken
    if k > _FEW:
        return taken.scatter_(-1, scores.topk(k, dim=-1, sorted=False).indices, True)
    rest = scores.detach()
    for _ in range(k):
        highest = rest.max(dim=-1, keepdim=True).indices
        taken.scatter_(-1, highest, True)
        rest = rest.masked_fill(taken, -torch.inf)
    return taken


def ranks(scores: Tensor) -> Tensor:
    """Return the place of every expert in the order of scores, the best first: as [..., E]."""
    order: Tensor = scores.argsort(dim=-1, descending=True)
    return order.argsort(dim=-1)


def padded(gates: Tensor, size: Size) -> Tensor:
    """Add zeros for the experts that a smaller choice does not have."""
    return F.pad(gates, (0, size.most_experts - gates.shape[-1]))


def keep_top(scores: Tensor, taken: Tensor) -> Tensor:
    """Return the softmax over those that are taken; zero for others."""
    return scores.masked_fill(~taken, -torch.inf).softmax(-1)


def balance_loss(scores: Tensor, taken: Tensor) -> Tensor:
    """Return the auxiliary loss of Switch: E * sum of f_i * P_i.

    f_i is the part of all choices that falls on expert i, P_i its mean probability.

    Args:
        scores: [B, T, E].
        taken: Whether a token chose an expert, bool [B, T, E]; equally many for all tokens.
    """
    fraction = taken.to(scores.dtype).mean((0, 1)) / taken[0, 0].sum()
    probability = scores.softmax(-1).mean((0, 1))
    return scores.shape[-1] * (fraction * probability).sum()
