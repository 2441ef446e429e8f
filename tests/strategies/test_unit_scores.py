"""Scores between 0 and 1."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nas.objective import BROKEN
from nas.strategies.unit_scores import UnitScores


def fitted(*scores: float) -> UnitScores:
    scale = UnitScores()
    scale.fit(scores)
    return scale


def test_values_lie_evenly_from_the_worst_to_the_best() -> None:
    scale = fitted(2.0, 6.0, 3.0)
    assert scale([2.0, 3.0, 6.0, 9.0, 1.0, -math.inf]).tolist() == [0, 0.25, 1, 1, 0, 0]
    assert scale([BROKEN * 2]).tolist() == [0]  # the first that breaks a limit


def test_what_breaks_limits_has_the_lower_half_by_rank() -> None:
    scale = fitted(2.0, BROKEN * 1.1, 6.0, BROKEN * 1.2, BROKEN * 900)
    given = [6.0, 2.0, BROKEN * 1.1, BROKEN * 1.2, BROKEN * 900, -math.inf]
    assert scale(given) == pytest.approx([1, 0.5, 2.5 / 6, 1.5 / 6, 0.5 / 6, 0])


def test_nothing_but_broken_limits_and_then_the_first_value() -> None:
    scale = fitted(BROKEN * 2, BROKEN * 3)
    given = [0.1, -5.0, BROKEN * 1.5, BROKEN * 2, BROKEN * 3, -math.inf]
    assert scale(given).tolist() == [1, 1, 1, 0.75, 0.25, 0]


def test_the_only_value_is_good() -> None:
    assert fitted(BROKEN * 2, 0.3)([0.3, BROKEN * 2]).tolist() == [1, 0.25]


def test_state() -> None:
    for scores in ((1.0, 4.0), (1.0, BROKEN * 2), (BROKEN * 2, BROKEN * 4)):
        first, second = fitted(*scores), UnitScores()
        second.load_state_dict(first.state_dict())
        given = [*scores, 2.0, BROKEN * 3, -math.inf]
        assert np.array_equal(first(given), second(given))
    old = UnitScores()
    old.load_state_dict({"range": [1.0, 3.0]})
    assert old([2.0]).tolist() == [0.5]
