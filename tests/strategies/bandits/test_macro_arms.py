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
