"""Regret over evaluations or simulated time, with confidence bands and the area under it.

Regret is the distance of the best value found so far from the table's optimum, or of another metric
of the same architecture from the best of that metric. Before the first success it is that of the
table's worst architecture; after a strategy has ended early it stays.

The band of a mean is Student's t interval, also for few repeats: a percentile bootstrap of n values
is too narrow by about the factor sqrt((n - 1) / n) and by the difference between t and the normal
distribution, and of two values it is their range, which has the mean between them half the time.
Source: Hesterberg, What Teachers Should Know About the Bootstrap, The American Statistician 69(4),
2015, arXiv:1411.5279. The band of a median is that of the sign test, between two of the ordered
repeats, which takes at least six of them. Source: Conover, Practical Nonparametric Statistics, 3rd
ed., 1999, ch. 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from nas.comparison.facts import Facts
from nas.comparison.repeat import Repeat
from nas.comparison.simulate import Budget

__all__ = [
    "BAND", "MEDIAN_BAND", "Axis", "Band", "Curves", "axis_of", "mean_band", "median_band",
    "regret_curves",
]  # fmt: skip

Floats = NDArray[np.float64]

BAND = "95 % interval of the mean over repeats, by Student's t"
"""What the bands of means are, in words."""
MEDIAN_BAND = "95 % interval of the median over repeats, by the sign test; none for fewer than 6"
"""What the bands of medians are."""
_LEVEL = 0.95
_POINTS = 200  # of a curve over time


@dataclass(frozen=True)
class Axis:
    """What regret is drawn over.

    Args:
        kind: "evaluations" or "seconds" (simulated).
        end: Where it ends.
    """

    kind: Literal["evaluations", "seconds"]
    end: float

    @property
    def points(self) -> Floats:
        """Where curves are sampled, [T]: every evaluation, or equal steps of time."""
        if self.kind == "evaluations":
            return np.arange(1.0, self.end + 1)
        return np.linspace(self.end / _POINTS, self.end, _POINTS)


@dataclass(frozen=True)
class Band:
    """A statistic over repeats along an axis.

    Args:
        middle: Its value, [T].
        low: Lower end of the confidence band, [T]; NaN where there are too few repeats for one.
        high: Upper end, [T].
    """

    middle: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Curves:
    """The regret of one strategy on one benchmark.

    Args:
        regrets: Of every repeat along the axis, [n, T].
        areas: Under the regret of every repeat, divided by the axis' length: its mean regret
            over the whole search, [n].
    """

    regrets: Floats
    areas: Floats

    @property
    def final(self) -> Floats:
        """Regret at the end, [n]."""
        return self.regrets[:, -1]

    def mean(self) -> Band:
        """Return the mean over repeats with its band."""
        return mean_band(self.regrets)

    def median(self) -> Band:
        """Return the median over repeats with its band."""
        return median_band(self.regrets)


def axis_of(repeats: Sequence[Repeat], budget: Budget) -> Axis:
    """Return the axis that suits a budget: time where it is limited or several workers share it.

    Args:
        repeats: All on one benchmark; without a limit the longest decides the end.
        budget: Of every repeat.
    """
    if budget.seconds is not None:
        return Axis("seconds", budget.seconds)
    if budget.workers > 1:
        return Axis("seconds", max((r.seconds[-1] for r in repeats if len(r)), default=1.0))
    return Axis("evaluations", max(map(len, repeats), default=0) or 1)


def regret_curves(
    repeats: Sequence[Repeat], facts: Facts, axis: Axis, reported: str | None = None
) -> Curves:
    """Return the regret of repeats of one strategy.

    Args:
        repeats: At least one.
        facts: Of the benchmark.
        axis: What to draw it over.
        reported: A metric that is reported of what was found; None: what was searched.
    """
    along = [_regrets(repeat, facts, reported) for repeat in repeats]
    if axis.kind == "evaluations":
        length = int(axis.end)
        regrets = np.array([_extended(r, length) for r in along])
        return Curves(regrets, regrets.mean(1))
    ends = [np.array(repeat.seconds) for repeat in repeats]
    steps = [np.searchsorted(end, axis.points, side="right") for end in ends]
    regrets = np.array([r[at] for r, at in zip(along, steps, strict=True)])
    areas = [_area(r, end, axis.end) for r, end in zip(along, ends, strict=True)]
    return Curves(regrets, np.array(areas))


def _regrets(repeat: Repeat, facts: Facts, reported: str | None) -> Floats:
    """Return the regret before any evaluation and after each, [evaluations + 1]."""
    best, worst = (facts.optimum, facts.worst) if reported is None else facts.range_of(reported)
    found = repeat.best if reported is None else repeat.reported[reported]
    return np.array([abs(best - (worst if v is None else v)) for v in (None, *found)])


def _extended(regrets: Floats, length: int) -> Floats:
    """Leave out the first, which is that before any evaluation, and repeat the last."""
    return np.append(
        regrets[1 : length + 1], np.full(max(0, length + 1 - len(regrets)), regrets[-1])
    )


def _area(regrets: Floats, ends: Floats, horizon: float) -> float:
    """Return the exact mean of a step function from 0 to the horizon."""
    edges = np.concatenate([[0.0], np.minimum(ends, horizon), [horizon]])
    return float((np.diff(edges) * regrets).sum() / horizon)


def mean_band(values: Floats) -> Band:
    """Return the mean over repeats with Student's t interval at every point.

    Args:
        values: One row a repeat, [n, T], none below 0; nor is the interval.
    """
    n, middle = len(values), values.mean(0)
    if n == 1:
        return Band(middle, *_none(middle))
    t = float(stats.t.ppf((1 + _LEVEL) / 2, n - 1))
    reach = t * values.std(0, ddof=1) / n**0.5
    return Band(middle, np.maximum(middle - reach, 0.0), middle + reach)


def median_band(values: Floats) -> Band:
    """Return the median over repeats with the interval of the sign test at every point.

    Args:
        values: One row a repeat, [n, T].
    """
    n, middle = len(values), np.median(values, axis=0)
    left_out = int(stats.binom.ppf((1 - _LEVEL) / 2, n, 0.5))  # at either end, and one
    if left_out == 0:
        return Band(middle, *_none(middle))
    ordered = np.sort(values, axis=0)
    return Band(middle, ordered[left_out - 1], ordered[n - left_out])


def _none(middle: Floats) -> tuple[Floats, Floats]:
    return np.full_like(middle, np.nan), np.full_like(middle, np.nan)
