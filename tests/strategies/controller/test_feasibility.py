"""P(V) and the policy gradient under rejection, against full enumeration."""

from __future__ import annotations

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
MOST = Allowed(*(pair for pair in ((i, j) for i in range(3) for j in range(3)) if pair != (1, 1)))
REWARDS = {pair: reward for reward, pair in enumerate(MOST.pairs)}
over_spaces = pytest.mark.parametrize("space", [FEW, MOST], ids=["few", "most"])


def flat(scalar: Tensor, controller: Controller) -> Tensor:
    """Return a gradient as one vector."""
    parameters = list(controller.parameters())
    parts = torch.autograd.grad(scalar, parameters, allow_unused=True)
    filled = [
        torch.zeros_like(p) if g is None else g for p, g in zip(parameters, parts, strict=True)
    ]
    return torch.cat([part.flatten() for part in filled])


def share(controller: Controller) -> Tensor:
    """P(V) by enumeration."""
    return controller.score(everything(controller.space)).log_probs.sum(1).exp().sum()


@over_spaces
def test_the_estimate_and_its_gradient_are_unbiased(space: Allowed) -> None:
    """Means over 150 estimates of 64 samples are within 4 standard errors of the exact values."""
    controller, rng = make(space), np.random.default_rng(0)
    exact = share(controller)
    gradient = flat(exact, controller)
    direction = gradient / gradient.norm()
    values, slopes = [], []
    for _ in range(150):
        estimate = FeasibleShare(controller, rng, 64).log_probability(controller).exp()
        values.append(estimate.item())
        slopes.append(
            (flat(estimate, controller) @ direction).item() if estimate.requires_grad else 0.0
        )
    for found, expected in ((values, exact.item()), (slopes, gradient.norm().item())):
        error = np.std(found) / np.sqrt(len(found))
        assert abs(np.mean(found) - expected) < 4 * error
        assert error < 0.05 * expected


@over_spaces
def test_the_corrected_gradient_is_that_of_the_conditional_policy(space: Allowed) -> None:
    """That of E[R | V], relative error 10 %; without the correction it is off by half or more."""
    controller, rng = make(space), np.random.default_rng(0)
    rows = everything(space)
    rewards = torch.tensor([float(REWARDS[tuple(row)]) for row in rows.tolist()])
    shares = torch.softmax(controller.score(rows).log_probs.sum(1), 0)
    exact = flat((shares * rewards).sum(), controller)

    def draw(n: int) -> Choices:
        rows: Choices = controller.sample(rng, n).choices.numpy()
        return rows

    corrected, plain = torch.zeros_like(exact), torch.zeros_like(exact)
    rounds, batch = 60, 200
    for _ in range(rounds):
        drawn = draw_feasible(
            space, rng, batch, lambda n: controller.sample(rng, n).choices.numpy()
        )
        found = torch.tensor([float(REWARDS[tuple(row)]) for row in drawn.tolist()])
        chosen = controller.score(drawn).log_probs.sum(1)
        log_share = FeasibleShare(controller, rng, batch).log_probability(controller)
        step = flat((found * chosen).mean(), controller) / rounds
        plain += step
        corrected += step - flat(found.mean() * log_share, controller) / rounds
    assert (corrected - exact).norm() < 0.1 * exact.norm()
    assert (plain - exact).norm() > 0.5 * exact.norm()


def test_samples_of_an_older_policy_are_weighted() -> None:
    """Estimates with samples of another policy are unbiased as well (4 standard errors)."""
    old, new, rng = make(FEW, seed=0), make(FEW, seed=2), np.random.default_rng(0)
    estimates = [FeasibleShare(old, rng, 64).probability(new).item() for _ in range(200)]
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert abs(share(old).item() - share(new).item()) > 10 * error
    assert abs(np.mean(estimates) - share(new).item()) < 4 * error


def test_nothing_is_known_where_no_sample_was_feasible() -> None:
    space = Allowed((1, 1))
    controller = make(space, spread=1.0)
    found = FeasibleShare(controller, np.random.default_rng(0), 2)
    assert not len(found.feasible)
    assert found.probability(controller).item() == 0
    assert found.log_probability(controller).item() == 0


def test_which_spaces_are_restricted() -> None:
    assert restricted(FEW)
    assert not any(map(restricted, (grid(2, 2), router(), Small())))
