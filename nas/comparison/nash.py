"""Nash averaging: weights of tasks and strategies that redundant ones cannot shift.

Source: Balduzzi et al., Re-evaluating evaluation, NeurIPS 2018, arXiv:1806.02643, sec. 4: one
player picks a strategy, the other a task, and the first is paid its score. Each side's maximum
entropy equilibrium says which strategies and tasks matter, and by how much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import null_space
from scipy.optimize import linprog, minimize

__all__ = ["NashAverage", "maximum_entropy", "nash_average"]

Floats = NDArray[np.float64]

_EXACT = 1e-9  # what a linear program may miss a bound by, for scores of order 1
_POSITIVE = 1e-7
_ACCURATE = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


@dataclass(frozen=True)
class NashAverage:
    """The equilibrium of a table of scores.

    Args:
        value: Of the centred game: what a strategy can be sure of, above the mean score.
        strategies: Weight of every strategy, [m]; sums to 1.
        tasks: Weight of every task, [n]; sums to 1.
        scores: Of every strategy: its scores averaged by the tasks' weights, [m]; not centred.
    """

    value: float
    strategies: Floats
    tasks: Floats
    scores: Floats


def nash_average(scores: Floats) -> NashAverage:
    """Average scores over tasks by the weights of the equilibrium.

    Args:
        scores: Of every strategy on every task, [m, n], larger for the better, on one scale.
    """
    mean = float(scores.mean())
    centred = scores - mean
    scale = float(np.abs(centred).max()) or 1.0
    game = centred / scale
    strategies, value = _side(game)
    tasks, _ = _side(-game.T)
    return NashAverage(value * scale, strategies, tasks, scores @ tasks)


def _side(game: Floats) -> tuple[Floats, float]:
    """Return the row player's maximum entropy strategy and the value of the game."""
    m, n = game.shape
    # Maximise v: p @ game >= v for every column, p a distribution.
    found = linprog(
        np.append(np.zeros(m), -1.0),
        A_ub=np.hstack([-game.T, np.ones((n, 1))]),
        b_ub=np.zeros(n),
        A_eq=np.append(np.ones(m), 0.0)[None],
        b_eq=[1.0],
        bounds=[(0, None)] * m + [(None, None)],
        method="highs",
        options=_ACCURATE,
    )
    value = float(-found.fun)
    return maximum_entropy(game.T, np.full(n, value - _EXACT)), value


def maximum_entropy(rows: Floats, bounds: Floats) -> Floats:
    """Return the distribution of largest entropy under linear bounds.

    The polytope is usually flat: of most equilibria many weights are zero and many bounds tight.
    So a point in its relative interior is found first, by the mean of points that each make one
    quantity as large as can be; what stays at its bound there is fixed, and entropy is maximised
    in the space that is left.

    Args:
        rows: [k, m].
        bounds: [k]; some distribution p has rows @ p >= bounds.

    Returns:
        p, [m].
    """
    weights = _interior(rows, bounds)
    used = weights > _POSITIVE
    slack = rows @ weights - bounds > _POSITIVE
    fixed = np.vstack([np.ones(used.sum()), rows[~slack][:, used]])
    free = null_space(fixed, rcond=1e-7)
    start = weights[used]
    if free.shape[1]:
        start = _climb(start, free, rows[slack][:, used], bounds[slack])
    result = np.zeros(len(weights))
    result[used] = start / start.sum()
    return result


def _interior(rows: Floats, bounds: Floats) -> Floats:
    """Return the mean of distributions that each have one weight, or one slack, at its largest."""
    points = [
        linprog(
            -goal, A_ub=-rows, b_ub=-bounds, A_eq=np.ones((1, rows.shape[1])), b_eq=[1.0],
            bounds=(0, None), method="highs", options=_ACCURATE,
        ).x
        for goal in [*np.eye(rows.shape[1]), *rows]
    ]  # fmt: skip
    mean: Floats = np.maximum(np.mean(points, axis=0), 0.0)
    return mean


def _climb(start: Floats, free: Floats, rows: Floats, bounds: Floats) -> Floats:
    """Maximise entropy from an interior point along the free directions."""

    def negative_entropy(steps: Floats) -> tuple[float, Floats]:
        p = np.maximum(start + free @ steps, 1e-300)
        return float(p @ np.log(p)), free.T @ (np.log(p) + 1)

    inside = np.vstack([free, rows @ free])
    room = np.append(start, rows @ start - bounds)
    limits = {"type": "ineq", "fun": lambda z: room + inside @ z, "jac": lambda z: inside}
    found = minimize(
        negative_entropy, np.zeros(free.shape[1]), jac=True, method="SLSQP", constraints=[limits],
        options={"ftol": 1e-14, "maxiter": 500},
    )  # fmt: skip
    best: Floats = np.maximum(start + free @ found.x, 0.0)
    return best
