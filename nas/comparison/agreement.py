"""How well scores order architectures: rank correlations with their intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

__all__ = ["INTERVAL", "Agreement", "Estimate", "agreement", "top_precision"]

Floats = NDArray[np.float64]

INTERVAL = "95 % percentile bootstrap over architectures, 200 resamples"
"""What the intervals are, in words."""
_RESAMPLES = 200
_SPARSE = 3  # digits of a share: 0.1 %


@dataclass(frozen=True)
class Estimate:
    """A statistic of a sample with its confidence interval; NaN where it is not defined."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Agreement:
    """How scores and true values of the same architectures agree.

    Args:
        spearman: Spearman's rank correlation.
        kendall: Kendall's tau-b.
        sparse: Kendall's tau-b with true values rounded to 0.1 %, so that differences which are
            noise are ties (Yu et al., ICLR 2020, arXiv:1902.08142); None for what is no share.
        top: Share of the best-scored that are among the truly best, at `k` of each.
        k: How many these are.
        n: Architectures.
    """

    spearman: Estimate
    kendall: Estimate
    sparse: Estimate | None
    top: Estimate
    k: int
    n: int


def agreement(scores: Floats, values: Floats, share: bool, top: float = 0.1) -> Agreement:
    """Compare scores with true values.

    Args:
        scores: Larger for the better, [n], finite; n at least 2.
        values: The same, true, [n].
        share: Whether values are in [0, 1], such as accuracies.
        top: Which part counts as the best.
    """
    k = max(1, round(top * len(scores)))

    def precision(a: Floats, b: Floats) -> float:
        return top_precision(a, b, k)

    return Agreement(
        _estimate(_spearman, scores, values),
        _estimate(_kendall, scores, values),
        _estimate(_kendall, scores, values.round(_SPARSE)) if share else None,
        _estimate(precision, scores, values),
        k,
        len(scores),
    )


def top_precision(scores: Floats, values: Floats, k: int) -> float:
    """Return the share of the k best-scored that are among the k best; of equals the first."""
    best_scored = np.argsort(-scores, kind="stable")[:k]
    best = np.argsort(-values, kind="stable")[:k]
    return len(np.intersect1d(best_scored, best)) / k


def _spearman(a: Floats, b: Floats) -> float:
    x, y = stats.rankdata(a), stats.rankdata(b)
    x, y = x - x.mean(), y - y.mean()
    size = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / size) if size > 0 else np.nan


def _kendall(a: Floats, b: Floats) -> float:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan
    return float(stats.kendalltau(a, b).statistic)


def _estimate(statistic: Callable[[Floats, Floats], float], a: Floats, b: Floats) -> Estimate:
    rng = np.random.default_rng(0)
    draws = (rng.integers(0, len(a), len(a)) for _ in range(_RESAMPLES))
    found = np.array([statistic(a[draw], b[draw]) for draw in draws])
    found = found[np.isfinite(found)]
    low, high = np.percentile(found, [2.5, 97.5]) if len(found) else (np.nan, np.nan)
    return Estimate(statistic(a, b), float(low), float(high))
