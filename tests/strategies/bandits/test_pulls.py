"""What the bandits have seen."""

from __future__ import annotations

import math

import numpy as np
import pytest
from small_spaces import grid, router

from nas.objective import BROKEN
from nas.strategies.bandits.pulls import Pulls
from nas.strategies.ranks import share_worse


def test_rewards_are_shares_of_results_that_are_worse() -> None:
    pulls = Pulls(grid(1, 2))
    for score in (3.0, -math.inf, 5.0, -math.inf):
        pulls.add((0,), score)
    assert list(map(pulls.reward, pulls.scores)) == [0.625, 0.25, 0.875, 0.25]


def test_one_bad_outlier_does_not_move_the_others() -> None:
    mild, wild = Pulls(grid(1, 2)), Pulls(grid(1, 2))
    for score in (0.5, 0.7, 0.6):
        mild.add((0,), score)
        wild.add((0,), score)
    mild.add((1,), 0.4)
    wild.add((1,), -1e9)
    assert list(map(mild.reward, mild.scores)) == list(map(wild.reward, wild.scores))


def test_totals_count_active_decisions_only() -> None:
    """Arms: router no, yes; k 1, 2, 4; noise off, on, learned; loss l1, l2."""
    pulls = Pulls(router())
    assert pulls.counts.tolist() == [0] * 10
    pulls.add((0, 0, 0, 1), 1.0)
    pulls.add((1, 2, 1, 1), 2.0)
    assert pulls.counts.tolist() == [1, 1, 0, 0, 1, 0, 1, 0, 0, 2]
    assert pulls.sums().tolist() == [0.25, 0.75, 0, 0, 0.75, 0, 0.75, 0, 0, 1.0]


def test_sums_are_those_of_all_ranks_worked_out_anew() -> None:
    space, rng = grid(3, 4), np.random.default_rng(0)
    pulls = Pulls(space)
    for _ in range(80):
        score = float(rng.choice([rng.integers(0, 9), -math.inf, BROKEN * 2]))
        pulls.add(tuple(rng.integers(0, 4, 3).tolist()), score)
    encodings = space.encode_choices(np.array(pulls.rows))
    rewards = share_worse(pulls.scores, pulls.scores)
    assert pulls.sums() == pytest.approx(encodings.T @ rewards)
    assert [pulls.reward(score) for score in pulls.scores] == rewards.tolist()


def test_rewards_may_be_scores() -> None:
    pulls = Pulls(grid(1, 3), "score")
    for arm, score in enumerate((0.9, -math.inf, BROKEN * 3)):
        pulls.add((arm,), score)
    assert pulls.sums().tolist() == [0.9, 0.9, 0.9]
    pulls.add((0,), 0.2)
    assert pulls.sums() == pytest.approx(np.array([1.1, 0.2, 0.2]))
    assert [pulls.reward(score) for score in (0.9, -math.inf)] == [0.9, 0.2]


def test_the_state_is_all() -> None:
    first, second = Pulls(grid(2, 3)), Pulls(grid(2, 3))
    second.add((2, 2), 0.0)
    first.add((0, 1), 1.0)
    first.add((1, 1), -math.inf)
    second.load_state_dict(first.state_dict())
    assert second.rows == [(0, 1), (1, 1)]
    assert np.array_equal(second.sums(), first.sums())
    assert np.array_equal(second.counts, first.counts)
