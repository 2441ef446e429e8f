"""`Elastic(MoELayer(...), experts=...)`: the first experts, for every router."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from nas.errors import NasError
from nas.mutables import Elastic
from nas.mutables.supernet import Supernet
from nas.search_spaces.moe.decisions import ROUTERS
from nas.search_spaces.moe.layer import MoELayer
from nas.search_spaces.moe.routers.soft import SoftRouter


def layer(router: str, **settings: object) -> MoELayer:
    torch.manual_seed(0)
    given = {"k": 2, "capacity": 1.25, "shared": True} | settings
    made = MoELayer(6, 8, router, 4, 5, **given).double()  # type: ignore[arg-type]
    if router == "soft":
        made.router = SoftRouter(6, 4, 5, fewest=1).double()
    return made.eval()


def tokens() -> Tensor:
    return torch.randn(3, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("router", ROUTERS)
def test_a_slice_is_the_standalone_layer(router: str) -> None:
    elastic, x = Elastic(layer(router), label="e", experts=(1, 2, 4)), tokens()
    supernet = Supernet(elastic, lambda _: {})
    outputs = [supernet(x, {"e": option}) for option in range(3)]
    assert torch.allclose(outputs[2], layer(router)(x))
    for option, experts in enumerate((1, 2, 4)):
        small = elastic.chosen(option)
        assert type(small) is MoELayer
        assert len(small.experts.w1) == experts
        assert torch.allclose(small(x), outputs[option], atol=1e-12)
    mixed = supernet(x, {"e": torch.tensor([0.25, 0.0, 0.5], dtype=torch.float64)})
    assert torch.allclose(mixed, 0.25 * outputs[0] + 0.5 * outputs[2], atol=1e-12)


def test_gradients_reach_the_experts_that_run() -> None:
    elastic = Elastic(layer("top-k", capacity=None), label="e", experts=(2, 4))
    Supernet(elastic, lambda _: {})(tokens(), {"e": 0}).square().sum().backward()
    grad = elastic.module.experts.w1.grad
    assert bool(grad[:2].any()) and not grad[2:].any()


def test_a_soft_router_needs_slots_for_the_fewest() -> None:
    made = MoELayer(6, 8, "soft", 4, 5)
    with pytest.raises(NasError, match=r"1 experts need 5 slots each, the router has 2; .*fewest"):
        Elastic(made, experts=(1, 4))


def test_a_router_of_a_users_own() -> None:
    made = layer("top-k")
    made.router = nn.Identity()  # type: ignore[assignment]
    with pytest.raises(NasError, match="it is not known how a Identity is cut"):
        Elastic(made, experts=(1, 4))
