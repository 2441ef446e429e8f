"""Comparing by several objectives: who dominates whom, in which front, how crowded, how much.

Everywhere a row is one candidate, a column one objective, and larger is better. A row of -inf (a
failure) is dominated by every other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["crowding_distance", "hypervolume", "non_dominated", "non_dominated_sort"]

Floats = NDArray[np.float64]


def non_dominated(scores: Floats) -> NDArray[np.bool_]:
    """Tell which candidates no other dominates (is as good in all and better in one).

    Args:
        scores: [n, m], larger is better.

    Returns:
        A mask [n]; of equal rows all or none are in it.
    """
    rows, which = np.unique(scores, axis=0, return_inverse=True)  # ascending: the last is best
    mask = np.zeros(len(rows), dtype=np.bool_)
    left = np.arange(len(rows))
    while len(left):
        best, left = left[-1], left[:-1]
        mask[best] = True
        left = left[(rows[left] > rows[best]).any(1)]
    found: NDArray[np.bool_] = mask[which.reshape(-1)]
    return found


def non_dominated_sort(scores: Floats) -> NDArray[np.int64]:
    """Return the front of every candidate: 0 for those that none dominates, and so on.

    Source: Deb et al., NSGA-II, IEEE TEC 2002, sec. III-A (fast non-dominated sorting).

    Args:
        scores: [n, m], larger is better.

    Returns:
        The number of the front, int array [n].
    """
    if scores.shape[1] == 1:  # every value is a front
        return np.unique(-scores[:, 0], return_inverse=True)[1].reshape(-1).astype(np.int64)
    as_good = np.ones((len(scores), len(scores)), dtype=np.bool_)
    for column in scores.T:
        as_good &= column[:, None] >= column
    dominates = as_good & ~as_good.T
    dominators = dominates.sum(0)
    fronts = np.full(len(scores), -1, dtype=np.int64)
    front = 0
    while (fronts < 0).any():
        first = (dominators == 0) & (fronts < 0)
        fronts[first] = front
        dominators -= dominates[first].sum(0)
        front += 1
    return fronts


def crowding_distance(scores: Floats, fronts: NDArray[np.int64] | None = None) -> Floats:
    """Return how far every candidate is from its neighbours in its front.

    The sum over the objectives of the distance between the two neighbours, in shares of the
    front's range; infinite for the best and the worst of each objective.

    Source: Deb et al., NSGA-II, IEEE TEC 2002, sec. III-B.

    Args:
        scores: [n, m], larger is better.
        fronts: The front of each, [n]; None: all are in one.

    Returns:
        Float array [n].
    """
    fronts = np.zeros(len(scores), dtype=np.int64) if fronts is None else fronts
    distances = np.zeros(len(scores))
    for front in np.unique(fronts):
        members = np.flatnonzero(fronts == front)
        distances[members] = _crowding_of_front(scores[members])
    return distances


def _crowding_of_front(scores: Floats) -> Floats:
    distances = np.zeros(len(scores))
    for column in scores.T:
        order = np.argsort(column, kind="stable")
        distances[order[[0, -1]]] = np.inf
        low, high = column[order[[0, -1]]]
        if np.isfinite(low) and high > low:
            gaps = (column[order[2:]] - column[order[:-2]]) / (high - low)
            distances[order[1:-1]] += gaps
    return distances


def hypervolume(scores: Floats, reference: Floats) -> float:
    """Return the volume that is dominated by candidates, above a reference point; exact.

    Slices along one objective after another: n^(m-1) log n steps for n candidates in the front.

    Source: While et al., A Faster Algorithm for Calculating Hypervolume, IEEE TEC 2006 (HSO).

    Args:
        scores: [n, m], larger is better.
        reference: [m]; what is not above it in every objective counts nothing.

    Returns:
        The volume, in the product of the objectives' units.
    """
    above = scores[(scores > reference).all(1)] - reference
    return _volume(above)


def _volume(points: Floats) -> float:
    """Return the volume between the origin and points [n, m] of positive numbers."""
    if not len(points):
        return 0.0
    if points.shape[1] == 1:
        return float(points.max())
    points = np.unique(points[non_dominated(points)], axis=0)[::-1]  # falling in the first
    depths = points[:, 0] - np.append(points[1:, 0], 0.0)
    if points.shape[1] == 2:  # in a front the second rises as the first falls
        return float(depths @ points[:, 1])
    slices = (d * _volume(points[: i + 1, 1:]) for i, d in enumerate(depths.tolist()) if d > 0)
    return float(sum(slices))
