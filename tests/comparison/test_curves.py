"""Regret curves."""

from __future__ import annotations

import numpy as np
import pytest

from nas.comparison.curves import Axis, axis_of, bootstrap_band, regret_curves
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


def test_bands_cover_the_mean_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(100):
        band = bootstrap_band(rng.normal(size=(40, 1)), "mean")
        hits += int(band.low[0] <= 0 <= band.high[0])
    assert 86 <= hits <= 100
    values = rng.normal(size=(400, 1))
    band = bootstrap_band(values, "mean")
    assert band.high[0] - band.low[0] == pytest.approx(2 * 1.96 / 20, rel=0.15)


def test_bands_of_the_median_and_of_one_repeat() -> None:
    values = np.array([[0.0], [1], [2], [3], [100]])
    band = bootstrap_band(values, "median")
    assert band.middle[0] == 2 and 0 <= band.low[0] < 2 < band.high[0] <= 100
    single = bootstrap_band(values[:1], "mean")
    assert single.low[0] == single.middle[0] == single.high[0] == 0
