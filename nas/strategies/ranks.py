"""Scores by their ranks: the same for every metric, however far off a diverged network is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

__all__ = ["normal_scores", "number_worse", "share_worse"]

Floats = NDArray[np.float64]


def number_worse(scores: Sequence[float] | Floats, among: Sequence[float] | Floats) -> Floats:
    """Return for each score how many results are worse, and half of those that are as good.

    Args:
        scores: [n].
        among: The results that they are compared with, [m]; -inf is a failure, the worst.

    Returns:
        [n]; equal scores have equal numbers.
    """
    order = np.sort(among)
    twice = np.searchsorted(order, scores, "left") + np.searchsorted(order, scores, "right")
    number: Floats = twice / 2
    return number


def share_worse(scores: Sequence[float] | Floats, among: Sequence[float] | Floats) -> Floats:
    """Return `number_worse` as a share of the results, 0 to 1, [n]."""
    return number_worse(scores, among) / max(len(among), 1)


def normal_scores(scores: Sequence[float]) -> Floats:
    """Replace scores by what their ranks are in a normal distribution; equal scores stay equal.

    -inf, a failure, ranks with the worst that was measured.

    Source: Blom, Statistical Estimates and Transformed Beta-Variables, 1958.
    """
    values = np.asarray(scores, dtype=np.float64)
    finite = values[np.isfinite(values)]
    values = np.where(np.isfinite(values), values, finite.min() if len(finite) else 0.0)
    ranks = number_worse(values, values) + 0.5  # the mean rank of equals, from 1
    normal: Floats = ndtri((ranks - 0.375) / (len(values) + 0.25))
    return normal
