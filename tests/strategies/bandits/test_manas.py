"""MANAS: credit and the agents' distributions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_spaces import Allowed, Small, grid, router

from nas.strategies.bandits.manas import Manas
from nas.strategies.bandits.settings import MANASSettings


def make(space: Small, **settings: Any) -> Manas:
    made = MANASSettings(**{"eta": 0.5, "mixing": 0.1, **settings})
    return Manas(space, made, np.random.default_rng(0))


def test_agents_start_uniform() -> None:
    assert [pi.tolist() for pi in make(router()).probabilities()] == [
        [0.5, 0.5], pytest.approx([1 / 3] * 3), pytest.approx([1 / 3] * 3), [0.5, 0.5],
    ]  # fmt: skip


def test_exp3_adds_the_loss_over_the_probability() -> None:
    """Losses are shares of results that are better: .5 for the first, then .25 or .75."""
    agents = make(grid(2, 2), credit="exp3")
    agents.tell((0, 1), 1.0)
    assert agents.estimates.tolist() == [1, 0, 0, 1]  # .5 / .5
    share = 0.9 / (1 + np.exp(0.5)) + 0.05  # of the option that has a loss
    assert agents.probabilities()[0][0] == pytest.approx(share)
    agents.tell((0, 0), 0.0)
    expected = [1 + 0.75 / share, 0, 0.75 / (1 - share), 1]
    assert agents.estimates == pytest.approx(np.array(expected))


def test_least_squares_finds_what_each_option_adds() -> None:
    """Scores 2 a + b over all pairs: differences of coefficients are those of the ranks."""
    space = grid(2, 2)
    agents = make(space, credit="lsq")
    for a, b in ((0, 0), (0, 1), (1, 0), (1, 1)):
        agents.tell((a, b), 2.0 * a + b)
    last = agents._coefficients()
    assert last[0] - last[1] == pytest.approx(0.5, abs=1e-5)
    assert last[2] - last[3] == pytest.approx(0.25, abs=1e-5)
    assert last[:2].mean() + last[2:].mean() == pytest.approx(0.5, abs=1e-5)
    before = agents.estimates.copy()
    agents.tell((1, 1), 3.0)
    assert agents.estimates - before == pytest.approx(agents._coefficients())


@pytest.mark.parametrize("credit", ["exp3", "lsq"])
def test_inactive_agents_get_no_credit(credit: str) -> None:
    agents = make(router(), credit=credit)
    for _ in range(3):
        agents.tell((0, 0, 0, 1), 1.0)
    assert agents.estimates[2:8] == pytest.approx(np.zeros(6))
    assert agents.estimates[0] != 0 and agents.estimates[9] != 0


@pytest.mark.parametrize("credit", ["exp3", "lsq"])
def test_agents_learn_their_part(credit: str) -> None:
    agents = make(grid(3, 4), credit=credit)
    for _ in range(300):
        [row] = agents.ask(1)
        agents.tell(tuple(row.tolist()), float(row.sum()))
    assert [pi.argmax() for pi in agents.probabilities()] == [3, 3, 3]
    assert all(pi.min() >= 0.1 / 4 for pi in agents.probabilities())  # the uniform share


def test_proposals_follow_the_agents_and_the_constraint() -> None:
    agents = make(Allowed((0, 0), (1, 0)))
    agents.estimates = np.array([10.0, 0, 0, 0, 0, 0])
    rows = agents.ask(2000)
    assert set(map(tuple, rows.tolist())) == {(0, 0), (1, 0)}
    first, second, _ = agents.probabilities()[0]
    assert (rows[:, 0] == 0).mean() == pytest.approx(first / (first + second), abs=0.03)


@pytest.mark.parametrize("credit", ["exp3", "lsq"])
def test_the_state_is_all(credit: str) -> None:
    first, second = make(router(), credit=credit), make(router(), credit=credit)
    for row in router().sample(np.random.default_rng(0), 10):
        first.tell(row.choices, float(sum(row.choices)))
    second.load_state_dict(first.state_dict())
    for agents in (first, second):
        agents.tell((1, 1, 1, 1), 2.5)
    assert np.array_equal(first.estimates, second.estimates)
