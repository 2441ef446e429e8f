"""Regret curves."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from nas.comparison.curves import Axis, axis_of, mean_band, median_band, regret_curves
from nas.comparison.facts import Facts
from nas.comparison.repeat import Repeat
from nas.comparison.simulate import Budget

FACTS = Facts(
    "x", "accuracy", "valid accuracy", True, 1.0, 0.0, 0.4, (), ("accuracy",), ("searched",), 9, 1
)


def repeat(best: list[float | None], seconds: list[float] | None = None) -> Repeat:
    n = len(best)
    return Repeat("x", "s", 0, 0, [[0]] * n, best, seconds or list(range(1, n + 1)), best)  # type: ignore[arg-type]


def test_over_evaluations() -> None:
    repeats = [repeat([None, 0.5, 0.75]), repeat([0.25])]
    axis = axis_of(repeats, Budget(evaluations=3))
    curves = regret_curves(repeats, FACTS, axis)
    assert axis == Axis("evaluations", 3) and axis.points.tolist() == [1, 2, 3]
    assert curves.regrets.tolist() == [[1.0, 0.5, 0.25], [0.75, 0.75, 0.75]]
    assert curves.areas.tolist() == pytest.approx([1.75 / 3, 0.75])
    assert curves.final.tolist() == [0.25, 0.75]
    assert curves.mean().middle.tolist() == [0.875, 0.625, 0.5]


def test_over_time() -> None:
    repeats = [repeat([0.5, 0.75], [2.0, 6.0])]
    axis = axis_of(repeats, Budget(seconds=8.0))
    curves = regret_curves(repeats, FACTS, axis)
    assert axis == Axis("seconds", 8.0) and axis.points[-1] == 8
    at = dict(zip(axis.points.tolist(), curves.regrets[0].tolist(), strict=True))
    assert (at[1.0], at[2.0], at[4.0], at[6.0], at[8.0]) == (1.0, 0.5, 0.5, 0.25, 0.25)
    assert curves.areas[0] == pytest.approx((2 * 1 + 4 * 0.5 + 2 * 0.25) / 8)


def test_several_workers_are_shown_over_time() -> None:
    repeats = [repeat([0.5], [3.0]), repeat([0.5, 0.6], [2.0, 5.0])]
    assert axis_of(repeats, Budget(evaluations=9, workers=2)) == Axis("seconds", 5.0)


def test_minimised_metrics() -> None:
    facts = Facts("x", "loss", "loss", False, 0.1, 2.0, 1.0, (), (), ("searched",), 9, 1)
    curves = regret_curves([repeat([None, 0.3])], facts, Axis("evaluations", 2))
    assert curves.regrets[0].tolist() == pytest.approx([1.9, 0.2])


@pytest.mark.parametrize("n", [2, 3, 5, 40])
def test_bands_cover_the_mean_as_often_as_they_say(n: int) -> None:
    """Also those of two repeats, between which the mean lies half the time only."""
    values = 10 + np.random.default_rng(0).normal(size=(n, 4000))  # a column is a comparison
    band = mean_band(values)
    assert np.mean((band.low <= 10) & (band.high >= 10)) == pytest.approx(0.95, abs=0.012)
    assert band.middle.tolist() == values.mean(0).tolist()


def test_the_band_of_a_mean_is_student_s() -> None:
    """Two values: t is 12.706 at one degree of freedom; regret is never below 0."""
    band = mean_band(np.array([[1.0, 100.0], [3.0, 102.0]]))
    assert band.middle.tolist() == [2.0, 101.0]
    assert band.low.tolist() == pytest.approx([0.0, 101 - 12.706], abs=0.001)
    assert band.high.tolist() == pytest.approx([2 + 12.706, 101 + 12.706], abs=0.001)


def test_one_repeat_has_no_band() -> None:
    single = mean_band(np.array([[2.0, 3.0]]))
    assert single.middle.tolist() == [2.0, 3.0]
    assert np.isnan(single.low).all() and np.isnan(single.high).all()


def test_bands_of_the_median() -> None:
    """Of six the range has the median between its ends in all but 2 / 2^6 of cases; of five not."""
    values = np.array([[0.0], [1], [2], [3], [4], [100]])
    band = median_band(values)
    assert (band.middle[0], band.low[0], band.high[0]) == (2.5, 0, 100)
    assert np.isnan(median_band(values[:5]).low).all()
    assert median_band(values[:5]).middle[0] == 2
    drawn = np.random.default_rng(0).exponential(size=(15, 4000))
    band = median_band(drawn)
    covered = np.mean((band.low <= np.log(2)) & (np.log(2) <= band.high))
    assert 0.95 <= covered <= 0.98  # 1 - 2 P(at most 3 of 15 are above) = 0.965


def test_the_regret_of_what_is_reported() -> None:
    facts = dataclasses.replace(FACTS, reported=("loss",), reported_ranges=((0.1, 2.0),))
    found = dataclasses.replace(repeat([None, 0.5, 0.75]), reported={"loss": [None, 0.4, 0.3]})
    curves = regret_curves([found], facts, Axis("evaluations", 3), "loss")
    assert curves.regrets[0].tolist() == pytest.approx([1.9, 0.3, 0.2])
