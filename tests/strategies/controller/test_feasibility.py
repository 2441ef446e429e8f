"""P(V) and the policy gradient under rejection, against full enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from small_spaces import Allowed, Small, everything, grid, router
from test_controller_network import make
from torch import Tensor

from nas.space import Choices
from nas.strategies.controller.feasibility import FeasibleShare, restricted
from nas.strategies.controller.network import Controller
from nas.strategies.rejection import draw_feasible

FEW = Allowed()
MOST = Allowed(*(pair for pair in itertools.product(range(3), range(3)) if pair != (1, 1)))
REWARDS = {pair: float(reward) for reward, pair in enumerate(MOST.pairs)}
over_spaces = pytest.mark.parametrize("space", [FEW, MOST], ids=["few", "most"])
over_sides = pytest.mark.parametrize("by_infeasible", [False, True], ids=["V", "not V"])


def flat(scalar: Tensor, controller: Controller) -> Tensor:
    """Return a gradient as one vector."""
    parameters = list(controller.parameters())
    if not scalar.requires_grad:  # no sample was on the side that is counted
        return torch.cat([torch.zeros_like(p).flatten() for p in parameters])
    parts = torch.autograd.grad(scalar, parameters, allow_unused=True, materialize_grads=True)
    return torch.cat([part.flatten() for part in parts])


def share(controller: Controller) -> Tensor:
    """P(V) by enumeration."""
    return controller.score(everything(controller.space)).log_probs.sum(1).exp().sum()


@over_spaces
@over_sides
def test_the_estimate_and_its_gradient_are_unbiased(space: Allowed, by_infeasible: bool) -> None:
    """Means over 100 estimates of 32 samples are within 3 standard errors of the exact values."""
    controller, rng = make(space), np.random.default_rng(1)
    exact = share(controller)
    gradient = flat(exact, controller)
    values, slopes = [], []
    for _ in range(100):
        estimate = FeasibleShare(controller, rng, 32, by_infeasible).probability(controller)
        values.append(estimate.item())
        slopes.append((flat(estimate, controller) @ gradient / gradient.norm()).item())
    for found, expected in ((values, exact.item()), (slopes, gradient.norm().item())):
        error = np.std(found) / np.sqrt(len(found))
        assert abs(np.mean(found) - expected) < 3 * error
        assert error < 0.15 * expected


@pytest.mark.parametrize(("space", "by_infeasible"), [(FEW, False), (MOST, True)])
def test_the_corrected_gradient_is_that_of_the_conditional_policy(
    space: Allowed, by_infeasible: bool
) -> None:
    """That of E[R | V] to a relative error of 10 %, which it is not without the correction."""
    controller, rng = make(space), np.random.default_rng(0)
    rows = everything(space)
    rewards = torch.tensor([REWARDS[tuple(row)] for row in rows.tolist()])
    shares = torch.softmax(controller.score(rows).log_probs.sum(1), 0)
    exact = flat((shares * rewards).sum(), controller)

    def draw(n: int) -> Choices:
        drawn: Choices = controller.sample(rng, n).choices.numpy()
        return drawn

    corrected, plain = torch.zeros_like(exact), torch.zeros_like(exact)
    rounds, batch = 20, 1000
    for _ in range(rounds):
        drawn = draw_feasible(space, rng, batch, draw)
        found = torch.tensor([REWARDS[tuple(row)] for row in drawn.tolist()])
        chosen = controller.score(drawn).log_probs.sum(1)
        estimate = FeasibleShare(controller, rng, batch, by_infeasible)
        step = flat((found * chosen).mean(), controller) / rounds
        correction = flat(found.mean() * estimate.log_probability(controller), controller) / rounds
        plain += step
        corrected += step - correction
    assert (corrected - exact).norm() < 0.1 * exact.norm()
    assert (plain - exact).norm() > 0.5 * exact.norm()


@over_sides
def test_samples_of_an_older_policy_are_weighted(by_infeasible: bool) -> None:
    """Estimates with samples of another policy are unbiased as well (3 standard errors)."""
    old, new, rng = make(FEW), make(FEW), np.random.default_rng(0)
    torch.autograd.backward(share(new))
    torch.optim.SGD(new.parameters(), lr=2.0, maximize=True).step()
    estimates = [
        FeasibleShare(old, rng, 64, by_infeasible).probability(new).item() for _ in range(100)
    ]
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert abs(share(old).item() - share(new).item()) > 8 * error
    assert abs(np.mean(estimates) - share(new).item()) < 3 * error


@pytest.mark.parametrize(("pairs", "found"), [([(1, 1)], 0.0), (REWARDS, 1.0)])
@over_sides
def test_samples_that_are_all_alike(
    pairs: list[tuple[int, int]], found: float, by_infeasible: bool
) -> None:
    space = Allowed(*pairs)
    controller = make(space, spread=1.0)
    estimate = FeasibleShare(controller, np.random.default_rng(0), 4, by_infeasible)
    assert estimate.found == found
    assert estimate.probability(controller).item() == found
    assert estimate.log_probability(controller).item() == pytest.approx(np.log(max(found, 0.25)))


def test_which_spaces_are_restricted() -> None:
    assert restricted(FEW)
    assert not any(map(restricted, (grid(2, 2), router(), Small())))
