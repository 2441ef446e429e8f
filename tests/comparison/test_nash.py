"""Nash averaging."""

from __future__ import annotations

import numpy as np
import pytest

from nas.comparison.nash import maximum_entropy, nash_average

ROCK_PAPER_SCISSORS = np.array([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]])


def test_rock_paper_scissors_with_a_clone() -> None:
    """Balduzzi et al., sec. 3.2: a copy of an agent shares the weight of its original."""
    order = [0, 1, 2, 2]
    game = ROCK_PAPER_SCISSORS[np.ix_(order, order)]
    found = nash_average(game)
    expected = [1 / 3, 1 / 3, 1 / 6, 1 / 6]
    assert found.tasks == pytest.approx(expected, abs=1e-6)
    assert found.strategies == pytest.approx(expected, abs=1e-6)
    # The grand mean of the clone's table is 0, so that the value is, too.
    assert found.value == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize("seed", range(5))
def test_clones_of_a_task_share_its_weight(seed: int) -> None:
    """The plain mean moves with every copy."""
    scores = np.random.default_rng(seed).normal(size=(5, 4))
    plain = nash_average(scores)
    at = int(plain.tasks.argmax())
    cloned = nash_average(np.hstack([scores, scores[:, [at] * 3]]))
    assert cloned.tasks[[at, 4, 5, 6]].sum() == pytest.approx(plain.tasks[at], abs=1e-6)
    assert np.ptp(cloned.tasks[[at, 4, 5, 6]]) < 1e-4  # all copies alike
    assert cloned.scores == pytest.approx(plain.scores, abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_it_is_an_equilibrium(seed: int) -> None:
    scores = np.random.default_rng(seed).normal(size=(6, 7))
    found = nash_average(scores)
    game = scores - scores.mean()
    assert found.strategies.sum() == pytest.approx(1) and found.tasks.sum() == pytest.approx(1)
    assert (found.strategies @ game).min() == pytest.approx(found.value, abs=1e-7)
    assert (game @ found.tasks).max() == pytest.approx(found.value, abs=1e-7)
    assert found.scores == pytest.approx(scores @ found.tasks)


def test_the_largest_entropy_of_many_equilibria() -> None:
    """Where nothing distinguishes strategies or tasks, all weigh the same."""
    found = nash_average(np.full((3, 4), 0.7))
    assert found.tasks == pytest.approx([0.25] * 4) and found.strategies == pytest.approx(
        [1 / 3] * 3
    )
    assert found.scores == pytest.approx([0.7] * 3)


def test_entropy_under_a_bound_that_cuts() -> None:
    """p0 >= 0.6 alone: the rest is shared; the known solution."""
    p = maximum_entropy(np.array([[1.0, 0, 0]]), np.array([0.6]))
    assert p == pytest.approx([0.6, 0.2, 0.2], abs=1e-6)
    p = maximum_entropy(np.array([[1.0, 0, 0]]), np.array([0.1]))
    assert p == pytest.approx([1 / 3] * 3, abs=1e-6)


def test_a_dominant_strategy_takes_all() -> None:
    found = nash_average(np.array([[3.0, 2], [1, 0]]))
    assert found.strategies == pytest.approx([1, 0]) and found.tasks == pytest.approx([0, 1])
