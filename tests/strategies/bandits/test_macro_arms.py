"""The global bandit."""

from __future__ import annotations

import math

import numpy as np
from small_spaces import Sorted, grid

from nas.strategies.bandits.macro_arms import MacroArms


def test_the_best_of_those_that_start_alike() -> None:
    arms = MacroArms(grid(3, 3))
    assert arms.best() is None
    for choices, score in (((0, 1, 2), 1.0), ((0, 2, 0), 3.0), ((1, 0, 0), 5.0)):
        arms.add(choices, score)
    found = [arms.best(prefix) for prefix in ((), (0,), (0, 1), (1, 0, 0))]
    assert [best.tolist() for best in found if best is not None] == [
        [1, 0, 0], [0, 2, 0], [0, 1, 2], [1, 0, 0],
    ]  # fmt: skip
    assert arms.best((2,)) is None


def test_pulls_of_one_arm_are_averaged() -> None:
    arms = MacroArms(grid(1, 3))
    for choices, score in (((0,), 0.0), ((0,), 4.0), ((1,), 3.0), ((2,), -math.inf)):
        arms.add(choices, score)
    best = arms.best()
    assert best is not None and best.tolist() == [1]
    [key] = arms.keys(np.array([[0]]))
    assert arms.mean(key) == 2


def test_equal_networks_are_one_arm_that_starts_in_several_ways() -> None:
    space = grid(2, 3)
    arms = MacroArms(Sorted(*space.decisions))
    arms.add((1, 2), 1.0)
    [key] = arms.keys(np.array([[2, 1]]))
    assert arms.known(key)
    assert arms.best((2,)) is None
    arms.add((2, 1), 3.0)
    assert arms.mean(key) == 2
    best = arms.best((2,))
    assert best is not None and best.tolist() == [2, 1]


def test_the_best_are_those_that_a_look_at_all_finds() -> None:
    """Also when means fall, and with equals, of which the first is taken."""
    rng = np.random.default_rng(0)
    arms, told = MacroArms(Sorted(*grid(3, 3).decisions)), dict[tuple[int, ...], None]()
    for _ in range(300):
        choices = tuple(rng.integers(0, 3, 3).tolist())
        arms.add(choices, float(rng.integers(0, 4)))
        told[choices] = None
        prefix = choices[: rng.integers(0, 4)]
        alike = [a for a in told if a[: len(prefix)] == prefix]
        best = max(alike, key=lambda a: arms.mean(arms.keys(np.array([a]))[0]))
        found = arms.best(prefix)
        assert found is not None and tuple(found.tolist()) == best
