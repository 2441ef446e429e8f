"""Layers of experts: exact in the cases that have a simple answer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from nas.search_spaces.moe import (
    AutonomyRouter,
    Experts,
    FeedForward,
    KANRouter,
    MoELayer,
    SmearRouter,
    SoftRouter,
    TopKRouter,
)
from nas.search_spaces.moe.decisions import CAUSAL_ROUTERS, ROUTERS
from nas.search_spaces.moe.dispatch import room
from nas.search_spaces.moe.layer import make_router
from nas.search_spaces.moe.routers.router import TokenChoice
from nas.search_spaces.moe.size import Size, only

D, H, T, B = 6, 5, 8, 3
SCORED = [name for name, facts in ROUTERS.items() if facts.k]
LIMITED = [name for name, facts in ROUTERS.items() if facts.capacity]


@pytest.fixture(autouse=True)
def _double() -> Any:
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(torch.float32)


def layer(router: str, experts: int = 4, **settings: Any) -> MoELayer:
    return MoELayer(D, H, router, experts, T, **settings).eval()


def tokens() -> Tensor:
    return torch.randn(B, T, D)


def one_by_one(made: MoELayer, gates: Tensor, x: Tensor) -> Tensor:
    """Compute sum of gate * expert with a loop."""
    y = torch.zeros_like(x)
    for e in range(gates.shape[-1]):
        w1, w2 = made.experts.w1[e], made.experts.w2[e]
        y = y + gates[..., e : e + 1] * (torch.nn.functional.gelu(x @ w1) @ w2)
    return y


# -- simple answers -------------------------------------------------------------------------------


def dense_of(made: MoELayer) -> FeedForward:
    """Return the dense block that is the first expert."""
    dense = FeedForward(D, H)
    dense.w1.data, dense.w2.data = made.experts.w1[0].data, made.experts.w2[0].data
    if isinstance(made.router, AutonomyRouter):  # its first layer has two factors
        dense.w1.data = (made.router.down[0] @ made.router.up[0]).data
    return dense


@pytest.mark.parametrize("capacity", [None, 1.0])
@pytest.mark.parametrize("router", [*SCORED, "hash", "expert-choice", "smear"])
def test_one_expert_equals_the_dense_block(router: str, capacity: float | None) -> None:
    made, x = layer(router, 1, capacity=capacity), tokens()
    torch.testing.assert_close(made(x), dense_of(made)(x))


def test_one_expert_weighed_by_a_sigmoid_is_that_part_of_the_dense_block() -> None:
    """KAN's gate is no softmax: a layer norm over one number leaves its bias."""
    made, x = layer("kan", 1), tokens()
    assert isinstance(made.router, KANRouter)
    made.router.norm.bias.data.fill_(0.7)
    gate = torch.tensor(0.7).sigmoid()
    torch.testing.assert_close(made(x), gate * dense_of(made)(x))


def test_one_soft_expert_is_the_dense_block_on_its_slots() -> None:
    made, x = layer("soft", 1), tokens()
    assert isinstance(made.router, SoftRouter)
    dispatch, combine = (weights[:, :, 0] for weights in made.router(x))
    expected = combine @ dense_of(made)(dispatch.transpose(1, 2) @ x)
    torch.testing.assert_close(made(x), expected)


@pytest.mark.parametrize("capacity", [None, 1.0])
@pytest.mark.parametrize("router", SCORED)
def test_all_experts_equal_the_dense_mixture(router: str, capacity: float | None) -> None:
    """Whatever order the scores have, every expert counts by the softmax of all."""
    made, x = layer(router, 4, k=4, capacity=capacity), tokens()
    assert isinstance(made.router, TokenChoice)
    expected = made.router.scores(x, None, 4).softmax(-1)
    if isinstance(made.router, AutonomyRouter):
        made.experts.w1.data = made.router.down.data @ made.router.up.data
    torch.testing.assert_close(made(x), one_by_one(made, expected, x))


@pytest.mark.parametrize("capacity", [None, 2.0, 1.25, 1.0])
@pytest.mark.parametrize("router", [*SCORED, "hash", "expert-choice", "kan"])
def test_dispatch_equals_a_loop_over_experts(router: str, capacity: float | None) -> None:
    made, x = layer(router, 4, k=2, capacity=capacity), tokens()
    ids = torch.arange(T).expand(B, T)
    gates = made.router(x, ids, made.size, made.experts)
    if router == "autonomy":
        made.experts.w1.data = made.router.down.data @ made.router.up.data
    torch.testing.assert_close(made(x), one_by_one(made, gates, x))


def test_smear_with_a_one_hot_gate_equals_that_expert() -> None:
    made, x = layer("smear"), tokens()
    router = made.router
    assert isinstance(router, SmearRouter)
    router.norm.weight.data.zero_()
    router.norm.bias.data.fill_(1.0)
    router.linear.weight.data.zero_()
    router.linear.weight.data[2] = 1e4
    torch.testing.assert_close(made(x), one_by_one(made, torch.eye(4)[2].expand(B, T, 4), x))


def test_soft_with_equal_logits_gives_the_mean_expert_of_the_mean_token() -> None:
    made, x = layer("soft"), tokens()
    assert isinstance(made.router, SoftRouter)
    made.router.scale.data.zero_()
    mean = x.mean(1, keepdim=True).expand(x.shape)
    torch.testing.assert_close(made(x), one_by_one(made, torch.full((B, T, 4), 0.25), mean))


def test_the_shared_expert_is_added() -> None:
    with_shared, x = layer("top-k", 4, shared=True), tokens()
    without = layer("top-k", 4)
    without.load_state_dict(with_shared.state_dict(), strict=False)
    assert with_shared.shared is not None
    torch.testing.assert_close(with_shared(x), without(x) + with_shared.shared(x))


@pytest.mark.parametrize("router", list(ROUTERS))
def test_permuting_experts_with_their_columns_changes_nothing(router: str) -> None:
    made, x = layer(router, 4, k=2, capacity=1.0), tokens()
    before, order = made(x), torch.tensor([2, 0, 3, 1])
    with torch.no_grad():
        if router == "hash":  # places p and p + 1 of the table belong to neighbouring experts
            back = order.argsort()
            table = made.router.table
            made.router.table.copy_(table - table % 4 + back[table % 4])
        for name, tensor in [*made.named_parameters(), *made.named_buffers()]:
            if tensor.ndim and tensor.shape[0] == 4 and not name.endswith("table"):
                tensor.copy_(tensor[order])
    torch.testing.assert_close(made(x), before)


# -- capacity -------------------------------------------------------------------------------------


@pytest.mark.parametrize("capacity", [1.0, 1.25])
@pytest.mark.parametrize("router", LIMITED)
def test_no_expert_is_over_capacity(router: str, capacity: float) -> None:
    made, x = layer(router, 4, k=2, capacity=capacity), 5 * tokens()
    gates = made.router(x, torch.arange(T).expand(B, T), made.size, made.experts)
    k = 2 if ROUTERS[router].k else 1
    assert int((gates != 0).sum(1).max()) <= room(capacity, k, T, 4)


def test_room() -> None:
    assert room(1.0, 1, 64, 8) == 8
    assert room(1.25, 1, 64, 8) == 10
    assert room(1.0, 2, 9, 4) == 5
    assert room(2.0, 4, 64, 4) == 64
    assert room(float("inf"), 1, 64, 8) == 64
    assert room(1.0, 1, 2, 8) == 1


@pytest.mark.parametrize("router", [*SCORED, "hash"])
def test_equal_tokens_beyond_the_room_of_their_experts_get_nothing(router: str) -> None:
    """They all want the same two of four experts (hash: one), which only the first ones get."""
    made, x = layer(router, 4, k=2, capacity=1.0), torch.randn(1, 1, D).expand(B, T, D)
    y = made(x, torch.zeros(B, T, dtype=torch.int64))
    fit = room(1.0, 2 if ROUTERS[router].k else 1, T, 4)
    assert 0 < fit < T
    assert (y[:, fit:] == 0).all()
    torch.testing.assert_close(y[:, :fit], y[:, :1].expand(B, fit, D))
    assert (y[:, :fit] != 0).any()


def test_tokens_that_no_expert_chose_get_nothing() -> None:
    made, x = layer("expert-choice", 4, capacity=1.0), tokens()
    x[:, 4:] *= 1e-3  # of no interest to anyone: their scores are all but equal
    gates = made.router(x, None, made.size)
    free = (gates == 0).all(-1)
    assert free.any() and not free.all()
    assert (made(x)[free] == 0).all()
    assert (made(x)[~free] != 0).any(-1).all()


def test_tokens_that_overflow_get_nothing() -> None:
    """All tokens want expert 1; the first ones of every sequence get it."""
    made, x = layer("top-k", 4, capacity=1.0), tokens()
    made.router.linear.weight.data.zero_()
    x[..., 0] = 1.0
    made.router.linear.weight.data[1, 0] = 10.0
    y = made(x)
    assert (y[:, 2:] == 0).all()
    assert (y[:, :2] != 0).any(-1).all()


@pytest.mark.parametrize("router", CAUSAL_ROUTERS)
def test_later_tokens_and_other_sequences_make_no_difference(router: str) -> None:
    made, x = layer(router, 4, k=2, capacity=1.0), tokens()
    changed = x.clone()
    changed[:, 5:] = torch.randn(B, T - 5, D)
    changed[0] = torch.randn(T, D)
    torch.testing.assert_close(made(changed)[1:, :5], made(x)[1:, :5])


# -- slices ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("router", list(ROUTERS))
def test_the_first_experts_and_units_equal_a_smaller_layer(router: str) -> None:
    large, x = layer(router, 8), tokens()
    large.router = make_router(router, D, 8, H, T, T, fewest=1).eval()
    small = MoELayer(D, 3, router, 2, T, k=2, capacity=1.25).eval()
    wide = large.state_dict()
    small.load_state_dict(
        {n: wide[n][tuple(slice(0, s) for s in t.shape)] for n, t in small.state_dict().items()}
    )
    ids = torch.arange(T).expand(B, T)
    size = Size(only(2), only(3), only(2), only(1.25))
    torch.testing.assert_close(large.router.run(x, ids, large.experts, size), small(x))


def test_sorting_hidden_units_keeps_the_function() -> None:
    experts, x = Experts(3, D, H), torch.randn(2, 3, 4, D)
    size = Size(only(3), only(H))
    before = experts.on_slots(x, size)
    experts.sort_hidden()
    strength = experts.w1.norm(dim=1) * experts.w2.norm(dim=2)
    assert (strength.diff(dim=1) <= 0).all()
    torch.testing.assert_close(experts.on_slots(x, size), before)


def test_sorted_together_the_experts_keep_their_average() -> None:
    experts, x = Experts(3, D, H), torch.randn(2, T, D)
    size, weights = Size(only(3), only(H)), torch.rand(2, 3)
    before = experts.merged(x, weights, size)
    order = experts.sort_hidden(together=True)
    assert torch.equal(order, order[:1].expand(3, H))
    torch.testing.assert_close(experts.merged(x, weights, size), before)


def test_a_router_on_its_own() -> None:
    gates = TopKRouter(dimension=D, experts=4, k=2)(tokens())
    assert gates.shape == (B, T, 4)
    assert ((gates != 0).sum(-1) == 2).all()
