"""The controller: distributions, conditions, what it samples and what it scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_spaces import Allowed, Small, everything, grid, router

from nas.space import SearchSpace
from nas.strategies.controller.network import Controller


def make(space: SearchSpace, seed: int = 0, spread: float = 8.0, **settings: float) -> Controller:
    """Return a controller in float64 whose distributions are far from uniform."""
    made = {"temperature": 1.0, "tanh_constant": 2.5, **settings}
    controller = Controller(space, hidden=6, seed=seed, **made).double()
    with torch.no_grad():
        for parameter in controller.parameters():
            parameter.mul_(spread)
    return controller


@pytest.mark.parametrize("space", [grid(3, 3), router()], ids=["grid", "router"])
def test_probabilities_of_all_architectures_add_up_to_1(space: Small) -> None:
    probabilities = make(space).score(everything(space)).log_probs.sum(1).exp()
    assert probabilities.sum().item() == pytest.approx(1, abs=1e-12)
    assert probabilities.max() > 3 * probabilities.min()


@pytest.mark.parametrize("space", [grid(2, 3), router()], ids=["grid", "router"])
def test_architectures_are_drawn_with_their_probabilities(space: Small) -> None:
    controller, rows = make(space), everything(space)
    expected = controller.score(rows).log_probs.sum(1).exp().detach().numpy()
    n = 40_000
    drawn = controller.sample(np.random.default_rng(0), n).choices.numpy()
    counts = np.array([(drawn == row).all(1).sum() for row in rows])
    assert counts.sum() == n  # inactive decisions are at their first option
    assert (np.abs(counts / n - expected) < 4 * np.sqrt(expected * (1 - expected) / n)).all()


@pytest.mark.parametrize("space", [grid(3, 3), router()], ids=["grid", "router"])
def test_scoring_repeats_what_sampling_said(space: Small) -> None:
    controller = make(space)
    drawn = controller.sample(np.random.default_rng(0), 50)
    scored = controller.score(drawn.choices.numpy())
    assert torch.equal(scored.active, drawn.active)
    for name in ("log_probs", "entropies", "values"):
        assert torch.allclose(getattr(scored, name), getattr(drawn, name), atol=1e-12)


def test_inactive_decisions_leave_no_trace() -> None:
    """After `router=no` the loss is chosen as if k and noise did not exist."""
    controller = make(router())
    walk = controller.score(np.array([[0, 0, 0, 1], [1, 1, 2, 1]]))
    assert walk.active.tolist() == [[True, False, False, True], [True] * 4]
    for part in (walk.log_probs, walk.entropies, walk.values):
        assert part[0, 1:3].tolist() == [0, 0]
        assert (part[1] != 0).all()
    gradient = torch.autograd.grad(walk.log_probs[0].sum(), controller.decision)[0]
    assert gradient[1:3].abs().sum() == 0
    assert (gradient[[0, 3]].abs().sum(1) > 0).all()


def test_later_choices_depend_on_earlier_ones() -> None:
    walk = make(grid(2, 3)).score(np.array([[0, 0], [1, 0], [2, 0]]))
    assert len({round(value, 6) for value in walk.log_probs[:, 1].tolist()}) == 3


def test_the_tanh_bounds_and_the_temperature_flattens() -> None:
    rows = everything(grid(1, 5))
    spread = {}
    for temperature in (1.0, 5.0):
        controller = make(grid(1, 5), spread=100.0, temperature=temperature)
        log_probs = controller.score(rows).log_probs
        spread[temperature] = (log_probs.max() - log_probs.min()).item()
        assert spread[temperature] <= 2 * 2.5 + 1e-9
    gentle = {t: make(grid(1, 5), spread=3.0, temperature=t) for t in (1.0, 5.0)}
    entropy = {t: c.score(rows[:1]).entropies.item() for t, c in gentle.items()}
    assert entropy[1.0] < entropy[5.0] < np.log(5)


def test_weights_follow_the_seed() -> None:
    first, same, other = (make(Allowed(), seed).head for seed in (0, 0, 1))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
