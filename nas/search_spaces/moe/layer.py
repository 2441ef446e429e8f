"""One layer of experts, on its own: a router, experts, perhaps a shared one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nas.search_spaces.moe.elastic import FirstExperts
from nas.search_spaces.moe.experts import Experts, FeedForward
from nas.search_spaces.moe.idle import idle_multiply_adds
from nas.search_spaces.moe.routers.autonomy import AutonomyRouter
from nas.search_spaces.moe.routers.compete import CompeteRouter
from nas.search_spaces.moe.routers.expert_choice import ExpertChoiceRouter
from nas.search_spaces.moe.routers.hashed import HashRouter
from nas.search_spaces.moe.routers.hyper import HyperRouter
from nas.search_spaces.moe.routers.kan import KANRouter
from nas.search_spaces.moe.routers.noisy_top_k import NoisyTopKRouter
from nas.search_spaces.moe.routers.router import Router
from nas.search_spaces.moe.routers.smear import SmearRouter
from nas.search_spaces.moe.routers.soft import SoftRouter
from nas.search_spaces.moe.routers.top_k import TopKRouter
from nas.search_spaces.moe.size import Size, only

__all__ = ["MoELayer", "make_router"]


def make_router(
    name: str, dimension: int, experts: int, hidden: int, tokens: int, names: int,
    fewest: int | None = None,
) -> Router:  # fmt: skip
    """Make a router by the name of its option.

    Args:
        name: As in `nas.search_spaces.moe.decisions.ROUTERS`.
        dimension: Of tokens.
        experts: Number of experts.
        hidden: Hidden units of an expert.
        tokens: Of a sequence.
        names: How many different `ids` there are.
        fewest: Experts that are ever to run; None: always all.
    """
    if name == "soft":
        return SoftRouter(dimension, experts, tokens, fewest)
    if name == "hash":
        return HashRouter(names, experts)
    if name == "autonomy":
        return AutonomyRouter(dimension, experts, hidden)
    others: dict[str, Any] = {
        "top-k": TopKRouter,
        "noisy-top-k": NoisyTopKRouter,
        "expert-choice": ExpertChoiceRouter,
        "smear": SmearRouter,
        "hyper": HyperRouter,
        "compete": CompeteRouter,
        "kan": KANRouter,
    }
    made: Router = others[name](dimension, experts)
    return made


class MoELayer(FirstExperts):
    """A feed-forward block of experts: what a token gets from no expert is zero.

    In a network with residual connections such a token passes the block as it is.

    Args:
        dimension: Of tokens.
        hidden: Hidden units of an expert.
        router: Name; see `make_router`.
        experts: Number of experts.
        tokens: Of a sequence.
        k: Experts a token, where the router has such a number.
        capacity: Room of an expert, as a multiple of what equal loads would need; None: any load.
        auxiliary: Factor of the router's auxiliary loss.
        shared: Whether one more expert runs for every token.
        names: How many different `ids` there are; 0: they are the places of tokens.
    """

    def __init__(
        self, dimension: int, hidden: int, router: str, experts: int, tokens: int, k: int = 1,
        capacity: float | None = None, auxiliary: float = 0.0, shared: bool = False, names: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.router = make_router(router, dimension, experts, hidden, tokens, names or tokens)
        self.experts = Experts(experts, dimension, hidden)
        self.shared = FeedForward(dimension, hidden) if shared else None
        factor = float("inf") if capacity is None else capacity
        self.size = Size(only(experts), only(hidden), only(k), only(factor), auxiliary)

    def forward(self, x: Tensor, ids: Tensor | None = None) -> Tensor:
        """Run tokens [B, T, d], named by int64 [B, T]; None names them by their places."""
        if ids is None:
            ids = torch.arange(x.shape[1], device=x.device).expand(x.shape[:2])
        y = self.router.run(x, ids, self.experts, self.size)
        return y if self.shared is None else y + self.shared(x)

    def idle_multiply_adds(self, x: Tensor, ids: Tensor | None = None) -> int:
        """Return what of a pass is not needed; see `nas.costs.count_flops`."""
        del ids
        return idle_multiply_adds(self.router, self.experts, self.size, *x.shape[:2])
