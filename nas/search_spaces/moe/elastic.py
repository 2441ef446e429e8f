"""A layer of experts that runs with its first ones: what `Elastic(layer, experts=...)` asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nas.search_spaces.moe.experts import Experts
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

__all__ = ["FirstExperts"]

_NAMES: dict[type[Router], str] = {
    AutonomyRouter: "autonomy",
    CompeteRouter: "compete",
    ExpertChoiceRouter: "expert-choice",
    HashRouter: "hash",
    HyperRouter: "hyper",
    KANRouter: "kan",
    NoisyTopKRouter: "noisy-top-k",
    SmearRouter: "smear",
    SoftRouter: "soft",
    TopKRouter: "top-k",
}


class FirstExperts(nn.Module):
    """The first experts of a `MoELayer`, with the router's columns of them (`nas.elastic`).

    The number of experts of a token stays k, the capacity factor stays what it is.
    """

    router: Router
    experts: Experts
    shared: nn.Module | None
    size: Size

    def most_experts(self) -> int:
        """Return how many experts there are."""
        return self.size.most_experts

    def refuses_experts(self, sizes: Sequence[int]) -> str | None:
        """Say why the layer cannot run with all these numbers of experts; None if it can."""
        if type(self.router) not in _NAMES:
            return f"it is not known how a {type(self.router).__name__} is cut"
        if not isinstance(self.router, SoftRouter):
            return None
        there, fewest = self.router.slots.shape[1], min(sizes)
        needed = -(-self.router.tokens // fewest)
        if there >= needed:
            return None
        return (
            f"{fewest} experts need {needed} slots each, the router has {there}; give the layer "
            f"router = SoftRouter(..., fewest={fewest})"
        )

    def run_experts(self, experts: int, x: Tensor, ids: Tensor | None = None) -> Tensor:
        """Run tokens as `MoELayer.forward` does, with the first experts only."""
        if ids is None:
            ids = torch.arange(x.shape[1], device=x.device).expand(x.shape[:2])
        y = self.router.run(x, ids, self.experts, self.size._replace(experts=only(experts)))
        return y if self.shared is None else y + self.shared(x)

    def cut_experts(self, experts: int) -> nn.Module:
        """Return a layer of the first experts, with copies of their weights."""
        small: Any = type(self)(**self._arguments(experts)).to(self.experts.w1)
        wide = self.state_dict()
        small.load_state_dict(
            {
                name: wide[name][tuple(slice(0, n) for n in tensor.shape)]
                for name, tensor in small.state_dict().items()
            }
        )
        plain: nn.Module = small.train(self.training)
        return plain

    def _arguments(self, experts: int) -> dict[str, Any]:
        """Return what `MoELayer` is made with, for so many experts."""
        router, size = self.router, self.size
        [(k, _)], [(capacity, _)] = size.k, size.capacity
        return {
            "dimension": self.experts.w1.shape[1],
            "hidden": self.experts.hidden,
            "router": _NAMES[type(router)],
            "experts": experts,
            "tokens": router.tokens if isinstance(router, SoftRouter) else 1,
            "k": k,
            "capacity": capacity,
            "auxiliary": size.auxiliary,
            "shared": self.shared is not None,
            "names": len(router.table) if isinstance(router, HashRouter) else 1,
        }
