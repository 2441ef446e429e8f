"""What the bandits have seen."""

from __future__ import annotations

import math

import numpy as np
import pytest
from small_spaces import grid, router

from nas.strategies.bandits.pulls import Pulls


def test_rewards_are_shares_of_results_that_are_worse() -> None:
    pulls = Pulls(grid(1, 2))
    for score in (3.0, -math.inf, 5.0, -math.inf):
        pulls.add((0,), score)
    assert pulls.rewards().tolist() == [0.625, 0.25, 0.875, 0.25]


def test_one_bad_outlier_does_not_move_the_others() -> None:
    mild, wild = Pulls(grid(1, 2)), Pulls(grid(1, 2))
    for score in (0.5, 0.7, 0.6):
        mild.add((0,), score)
        wild.add((0,), score)
    mild.add((1,), 0.4)
    wild.add((1,), -1e9)
    assert mild.rewards().tolist() == wild.rewards().tolist()


def test_totals_count_active_decisions_only() -> None:
    """Arms: router no, yes; k 1, 2, 4; noise off, on, learned; loss l1, l2."""
    pulls = Pulls(router())
    assert pulls.totals()[0].tolist() == [0] * 10
    pulls.add((0, 0, 0, 1), 1.0)
    pulls.add((1, 2, 1, 1), 2.0)
    counts, sums = pulls.totals()
    assert counts.tolist() == [1, 1, 0, 0, 1, 0, 1, 0, 0, 2]
    assert sums.tolist() == [0.25, 0.75, 0, 0, 0.75, 0, 0.75, 0, 0, 1.0]


def test_choices_grow_with_what_is_added() -> None:
    pulls = Pulls(grid(2, 3))
    assert pulls.choices().shape == (0, 2)
    for row in ([0, 1], [2, 2]):
        pulls.add(tuple(row), 0.0)
        assert pulls.choices()[-1].tolist() == row
    assert len(pulls) == 2


def test_the_state_is_all() -> None:
    first, second = Pulls(grid(2, 3)), Pulls(grid(2, 3))
    second.add((2, 2), 0.0)
    assert second.choices().tolist() == [[2, 2]]
    first.add((0, 1), 1.0)
    first.add((1, 1), -math.inf)
    second.load_state_dict(first.state_dict())
    assert second.choices().tolist() == [[0, 1], [1, 1]]
    assert second.rewards() == pytest.approx(first.rewards())
    assert np.array_equal(second.totals(), first.totals())
