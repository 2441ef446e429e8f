"""What a router is, and what those have in common that weigh experts token by token."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.moe.auxiliary import with_auxiliary
from nas.search_spaces.moe.dispatch import admitted, room
from nas.search_spaces.moe.experts import Experts
from nas.search_spaces.moe.size import Size, mixed, only

__all__ = ["Gating", "Router", "TokenChoice", "balance_loss", "chosen", "keep_top"]

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
        factor = float("inf") if capacity is None else capacity
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
        size = size or self.size
        total: Tensor | None = None
        for value, weight in size.experts:
            e = int(value)
            gates = mixed(self.gates(x, ids, e, size, experts), weight)
            gates = F.pad(gates, (0, size.most_experts - e))
            total = gates if total is None else total + gates
        assert total is not None
        return total

    @abstractmethod
    def gates(
        self, x: Tensor, ids: Tensor | None, e: int, size: Size, experts: Experts | None
    ) -> Tensor:
        """Return the weights of the first e experts, [B, T, e]; arguments as for `forward`."""

    def room(self, tokens: int, size: Size) -> int | None:
        """Return the most tokens of a sequence that an expert can have; None where it is open."""
        if not size.is_single:
            return None
        [(experts, _)], [(k, _)], [(factor, _)] = size.experts, size.k, size.capacity
        return tokens if factor == float("inf") else room(factor, k, tokens, experts)

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

    def gates(
        self, x: Tensor, ids: Tensor | None, e: int, size: Size, experts: Experts | None
    ) -> Tensor:
        del experts
        scores = self.scores(x, ids, e)
        return self.limited(scores, size, lambda taken, _: balance_loss(scores, taken))

    def limited(self, scores: Tensor, size: Size, loss: Loss) -> Tensor:
        """Choose by scores [B, T, e], and drop what experts have no room for.

        Args:
            scores: The higher the better.
            size: What runs.
            loss: The auxiliary loss, from who takes which token and with what weights, [B, T, e].
        """
        tokens, e = scores.shape[1:]
        total = torch.zeros_like(scores)
        for k, by_k in size.k:
            taken = chosen(scores, min(int(k), e))
            gates = self.weigh(scores, taken)
            kept = torch.zeros_like(scores)
            for factor, by_factor in size.capacity:
                full = tokens if factor == float("inf") else room(factor, k, tokens, e)
                kept = kept + mixed(admitted(taken, full).to(gates.dtype), by_factor)
            limited = mixed(gates * kept, by_k)
            if self.training and (isinstance(size.auxiliary, Tensor) or size.auxiliary):
                share = 1.0 if by_k is None else by_k.detach()
                limited = with_auxiliary(limited, size.auxiliary * share * loss(taken, gates))
            total = total + limited
        return total


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


def chosen(scores: Tensor, k: int) -> Tensor:
    """Tell which experts have the k highest scores: bool, as scores [..., E]."""
    best = scores.topk(k, dim=-1).indices
    return torch.zeros_like(scores, dtype=torch.bool).scatter(-1, best, True)


def keep_top(scores: Tensor, taken: Tensor) -> Tensor:
    """Return the softmax over those that are taken; zero for others."""
    return scores.masked_fill(~taken, -torch.inf).softmax(-1)
