"""Active multiply-adds of mixtures of experts, against the formula for each router."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from nas.costs.measure import count_flops, measure
from nas.search_spaces.moe import MoELayer
from nas.search_spaces.moe.decisions import ROUTERS
from nas.search_spaces.moe.idle import idle_multiply_adds
from nas.search_spaces.moe.network import TokenNetwork
from nas.task import TaskInfo

D, H, T, E = 16, 24, 12, 8
EXPERT = 2 * D * H  # multiply-adds of an expert for a token: d h and h d
R = D // 4  # of autonomy
VECTORS = TaskInfo((T, D), 3, kind="sequence")
KAN = D * 8 * 9 + 8 * 8 * 9 + 2 * 8 * E + D * E  # two layers of base and 8 splines, heads, skip

CAPACITIES = (1.0, 1.25, 2.0, None)


def active(router: str, k: int, capacity: float | None) -> float:
    """Return the multiply-adds of a token: router and k experts, as the router's paper has them."""
    if router == "hash":
        return EXPERT
    if router == "kan":  # a dense mixture
        return KAN + E * EXPERT
    if router == "autonomy":  # all experts make the small product, k go on from it
        return E * D * R + k * (R * H + H * D)
    if router == "expert-choice":  # every expert takes so many tokens
        room = T if capacity is None else min(T, math.ceil(capacity * T / E))
        return E * D + E * room / T * EXPERT
    if router == "soft":  # slots, similarities, dispatch and combination
        slots = E * -(-T // E)
        return 3 * slots * D + slots / T * EXPERT
    if router == "smear":  # one expert, and the merging of all for a sequence
        return D * E / T + EXPERT + E * EXPERT / T
    return (2 if router == "noisy-top-k" else 1) * D * E + k * EXPERT


def layer(router: str, **arguments: Any) -> MoELayer:
    torch.manual_seed(0)
    return MoELayer(D, H, router, E, T, **arguments)


@pytest.mark.parametrize("capacity", CAPACITIES)
@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize("router", [*ROUTERS])
def test_active_multiply_adds(router: str, k: int, capacity: float | None) -> None:
    k = k if ROUTERS[router].k else 1
    made = layer(router, k=k, capacity=capacity)
    assert count_flops(made, VECTORS) / T == pytest.approx(active(router, k, capacity))
    shared = layer(router, k=k, capacity=capacity, shared=True)
    assert count_flops(shared, VECTORS) - count_flops(made, VECTORS) == T * EXPERT


def test_more_experts_a_token_than_there_are() -> None:
    made = MoELayer(D, H, "top-k", 2, T, k=4)
    assert count_flops(made, VECTORS) == T * (2 * D + 2 * EXPERT)


def test_idle_places_are_those_beyond_k_tokens() -> None:
    """At capacity 1.25 every expert has ceil(1.25 * 12 / 8) = 2 places: 16 for 12 tokens."""
    made = layer("top-k", capacity=1.25)
    assert idle_multiply_adds(made.router, made.experts, made.size, 3, T) == 3 * 4 * EXPERT
    unlimited = layer("top-k")
    found = idle_multiply_adds(unlimited.router, unlimited.experts, unlimited.size, 1, T)
    assert found == (E - 1) * T * EXPERT


def test_of_a_network_by_token() -> None:
    """Embedding of vectors, attention (four d x d products, T scores and their use), the blocks."""
    blocks: list[dict[str, Any]] = [{}, {"router": "top-k", "experts": E, "hidden": H, "k": 2}]
    info = TaskInfo((T,), 20, kind="tokens", vocabulary=20)
    network = TokenNetwork(blocks, T, 20, width=D, heads=2, hidden=32)
    attention = 4 * D * D + 2 * T * D
    by_token = 2 * attention + 2 * D * 32 + active("top-k", 2, None) + D * 20
    found = measure(network, info)
    assert found["flops_per_token"] == by_token and found["flops"] == T * by_token
