"""What is particular to each router: losses, noise, competition, what is trained."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline
from torch import Tensor

from nas.search_spaces.moe import (
    CompeteRouter,
    ExpertChoiceRouter,
    Experts,
    HashRouter,
    HyperRouter,
    NoisyTopKRouter,
    SmearRouter,
    TopKRouter,
    with_auxiliary,
)
from nas.search_spaces.moe.routers.kan import KANLinear
from nas.search_spaces.moe.routers.noisy_top_k import _load
from nas.search_spaces.moe.routers.router import balance_loss, best, ranks


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def tokens(n: int = 16) -> Tensor:
    return torch.randn(2, n, 6)


# -- auxiliary losses -----------------------------------------------------------------------------


def test_an_auxiliary_loss_rides_on_a_tensor() -> None:
    """The gradient is that of both; the value is that of the loss alone; also second order."""
    w = torch.tensor(3.0, requires_grad=True)
    loss = with_auxiliary(2 * w, w**2).sum()
    assert loss.item() == 6.0
    [gradient] = torch.autograd.grad(loss, w, create_graph=True)
    assert gradient.item() == 2.0 + 6.0
    [second] = torch.autograd.grad(gradient, w)
    assert second.item() == 2.0


def test_balance_is_best_where_loads_are_equal() -> None:
    even = torch.eye(4).repeat(4, 1).unsqueeze(0)
    uneven = torch.eye(4)[torch.zeros(16, dtype=torch.int64)].unsqueeze(0)
    assert balance_loss(1e3 * even, even.bool()).item() == pytest.approx(1.0)
    assert balance_loss(1e3 * uneven, uneven.bool()).item() == pytest.approx(4.0)


@pytest.mark.parametrize("kind", [TopKRouter, NoisyTopKRouter])
def test_the_auxiliary_loss_alone_evens_out_loads(kind: type[TopKRouter]) -> None:
    router, x = kind(6, 4, k=2, auxiliary=1.0), tokens(64)
    x[..., 0] = 1.0
    router.linear.weight.data[:, 0] = torch.tensor([3.0, 1.0, 0.0, -1.0])

    def worst() -> float:
        loads = (router.eval()(x) != 0).sum((0, 1))
        router.train()
        return float(loads.max()) / float(loads.float().mean())

    before, optimizer = worst(), torch.optim.Adam(router.parameters(), 0.05)
    for _ in range(60):
        optimizer.zero_grad()
        (0.0 * router(x)).sum().backward()
        optimizer.step()
    assert worst() < 0.8 * before


def test_no_auxiliary_loss_in_evaluation() -> None:
    router = TopKRouter(6, 4, auxiliary=1.0).eval()
    (0.0 * router(tokens())).sum().backward()
    assert router.linear.weight.grad is not None
    assert (router.linear.weight.grad == 0).all()


# -- noisy top-k ----------------------------------------------------------------------------------


def test_noise_is_for_training_only() -> None:
    router, x = NoisyTopKRouter(6, 4), tokens()
    assert not torch.equal(router(x), router(x))
    router.eval()
    assert torch.equal(router(x), router(x))
    torch.testing.assert_close(router(x).sum(-1), torch.ones(2, 16))


def test_the_smooth_load_is_the_chance_to_be_chosen() -> None:
    """Against sampling: fresh noise for one expert, the others' noise as it was."""
    clean, spread = torch.randn(1, 1, 5), torch.rand(1, 1, 5) + 0.5
    noisy = clean + torch.randn(1, 1, 5) * spread
    load = _load(clean, spread, noisy, ranks(noisy) < 2)
    for e in range(5):
        drawn = noisy.expand(20000, 1, 5).clone()
        drawn[..., e] = clean[..., e] + torch.randn(20000, 1) * spread[..., e]
        chance = (ranks(drawn)[..., e] < 2).float().mean()
        assert load[e].item() == pytest.approx(chance.item(), abs=0.02)


# -- others ---------------------------------------------------------------------------------------


def test_expert_choice_loads_are_equal() -> None:
    gates = ExpertChoiceRouter(6, 4)(tokens())
    assert ((gates != 0).sum(1) == 4).all()
    doubled = ExpertChoiceRouter(6, 4, capacity=2.0)(tokens())
    assert ((doubled != 0).sum(1) == 8).all()


def test_hyper_trains_its_embedding_alone() -> None:
    router = HyperRouter(6, 4, k=2)
    assert [name for name, _ in router.named_parameters()] == ["embedding"]
    (router(tokens()) ** 2).sum().backward()
    assert router.embedding.grad is not None and (router.embedding.grad != 0).any()


def test_hash_is_fixed_and_spreads_a_vocabulary_evenly() -> None:
    ids, x = torch.arange(64).view(1, 64), torch.randn(1, 64, 6)
    gates = HashRouter(64, 8)(x, ids)
    assert torch.equal(gates, HashRouter(64, 8)(torch.randn(1, 64, 6), ids))
    assert (gates.sum(-1) == 1).all()
    assert (gates.sum(1) == 8).all()


def test_smear_leaves_out_experts_in_training_only() -> None:
    router, x = SmearRouter(6, 4, dropout=0.5), tokens()
    weights = torch.stack([router(x) for _ in range(20)])
    assert (weights == 0).any()
    torch.testing.assert_close(weights.sum(-1), torch.ones(20, 2))
    assert (router.eval()(x) > 0).all()


def test_competition_is_won_by_the_strongest_answers() -> None:
    router, experts, x = CompeteRouter(6, 3, rate=1.0, warm_up=0), Experts(3, 6, 5), tokens()
    router.linear.weight.data.zero_()
    strengths = torch.nn.functional.softplus(experts.outputs(x, router.size._replace(
        width=((5, None),)))).mean(-1)  # fmt: skip
    gates = router(x, size=router.size._replace(width=((5, None),)), experts=experts)
    assert torch.equal(gates.argmax(-1), strengths.argmax(-1))
    gates.sum().backward()
    assert (router.linear.weight.grad != 0).any()  # by distillation, for it chose nothing


def test_competition_waits_for_the_warm_up_and_ends_with_training() -> None:
    experts, x = Experts(3, 6, 5), tokens()
    router = CompeteRouter(6, 3, rate=1.0, warm_up=2)
    size = router.size._replace(width=((5, None),))
    own = TopKRouter(6, 3)
    own.linear.weight.data = router.linear.weight.data
    same = [torch.equal(router(x, size=size, experts=experts), own(x)) for _ in range(3)]
    assert same == [True, True, False]
    assert torch.equal(router.eval()(x, size=size, experts=experts), own(x))


def test_splines_of_a_kan_are_those_of_scipy() -> None:
    layer, x = KANLinear(1, 2, intervals=4), torch.linspace(-2, 1.99, 50, dtype=torch.float64)
    knots = np.arange(-3, 8) - 2.0
    expected = BSpline.design_matrix(x.numpy(), knots, 3).toarray()
    np.testing.assert_allclose(layer.bases(x.view(-1, 1))[:, 0].numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("k", [1, 2, 4, 6, 7, 8])
def test_the_best_are_those_of_the_lowest_ranks(k: int) -> None:
    scores = torch.randn(3, 5, 7)
    assert torch.equal(best(scores, k), ranks(scores) < k)
    assert (best(torch.zeros(2, 7), k).sum(-1) == min(k, 7)).all()  # ties too


def test_splines_of_a_kan_sum_to_one_and_join_smoothly() -> None:
    layer = KANLinear(1, 2)
    x = torch.linspace(-1.99, 1.99, 400).view(-1, 1)
    bases = layer.bases(x)
    torch.testing.assert_close(bases.sum(-1), torch.ones(400, 1))
    assert bases.diff(dim=0).abs().max() < 0.03
    assert layer(x).shape == (400, 2)
