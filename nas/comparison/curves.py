"""Regret over evaluations or simulated time, with confidence bands and the area under it.

Regret is the distance of the best value found so far from the table's optimum. Before the first
success it is that of the table's worst architecture; after a strategy has ended early it stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nas.comparison.facts import Facts
from nas.comparison.repeat import Repeat
from nas.comparison.simulate import Budget

__all__ = ["BAND", "Axis", "Band", "Curves", "axis_of", "bootstrap_band", "regret_curves"]

Floats = NDArray[np.float64]

BAND = "95 % percentile bootstrap over repeats, 1000 resamples"
"""What the bands are, in words."""
_RESAMPLES = 1000
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
        low: Lower end of the confidence band, [T]; equal to `middle` for a single repeat.
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
        return bootstrap_band(self.regrets, "mean")

    def median(self) -> Band:
        """Return the median over repeats with its band."""
        return bootstrap_band(self.regrets, "median")


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


def regret_curves(repeats: Sequence[Repeat], facts: Facts, axis: Axis) -> Curves:
    """Return the regret of repeats of one strategy.

    Args:
        repeats: At least one.
        facts: Of the benchmark.
        axis: What to draw it over.
    """
    along = [_regrets(repeat, facts) for repeat in repeats]
    if axis.kind == "evaluations":
        length = int(axis.end)
        regrets = np.array([_extended(r, length) for r in along])
        return Curves(regrets, regrets.mean(1))
    ends = [np.array(repeat.seconds) for repeat in repeats]
    steps = [np.searchsorted(end, axis.points, side="right") for end in ends]
    regrets = np.array([r[at] for r, at in zip(along, steps, strict=True)])
    areas = [_area(r, end, axis.end) for r, end in zip(along, ends, strict=True)]
    return Curves(regrets, np.array(areas))


def _regrets(repeat: Repeat, facts: Facts) -> Floats:
    """Return the regret before any evaluation and after each, [evaluations + 1]."""
    best = [facts.worst if value is None else value for value in (None, *repeat.best)]
    return np.array([facts.regret(value) for value in best])


def _extended(regrets: Floats, length: int) -> Floats:
    """Leave out the first, which is that before any evaluation, and repeat the last."""
    return np.append(
        regrets[1 : length + 1], np.full(max(0, length + 1 - len(regrets)), regrets[-1])
    )


def _area(regrets: Floats, ends: Floats, horizon: float) -> float:
    """Return the exact mean of a step function from 0 to the horizon."""
    edges = np.concatenate([[0.0], np.minimum(ends, horizon), [horizon]])
    return float((np.diff(edges) * regrets).sum() / horizon)


def bootstrap_band(values: Floats, statistic: Literal["mean", "median"]) -> Band:
    """Return a statistic over repeats with its percentile bootstrap interval at every point.

    Args:
        values: One row a repeat, [n, T].
        statistic: Which.

    Source: Efron & Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13.
    """
    reduce = np.mean if statistic == "mean" else np.median
    middle: Floats = reduce(values, axis=0)
    n = len(values)
    if n == 1:
        return Band(middle, middle, middle)
    draws = np.random.default_rng(0).integers(0, n, (_RESAMPLES, n))
    if statistic == "mean":
        weights = np.zeros((_RESAMPLES, n))
        np.add.at(weights, (np.arange(_RESAMPLES)[:, None], draws), 1 / n)
        resampled = weights @ values
    else:
        resampled = np.array([np.median(values[draw], axis=0) for draw in draws])
    low, high = np.percentile(resampled, [2.5, 97.5], axis=0)
    return Band(middle, low, high)
