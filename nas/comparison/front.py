"""Several objectives on one scale: the hypervolume of what was found, and of all a table has.

Every objective is scaled so that the best of the table's Pareto front (the ideal point) is 1 and
the worst on that front (the nadir point) is 0; the reference point of the hypervolume is the nadir.
The whole front has the largest volume there is, below 1. What is worse than the nadir in any
objective adds nothing.

Source: Brockhoff et al., Biobjective Performance Assessment with the COCO Platform, 2016,
arXiv:1605.01746 (normalised by the ideal and the nadir point, which is the reference).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.benchmarks import Benchmark
from nas.errors import NasError
from nas.objective import Objective, hypervolume, non_dominated

__all__ = ["Scale", "allowed", "scale_of"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scale:
    """What objectives are measured by.

    Args:
        nadir: The worst score on the table's front, an objective, [m].
        ideal: The best, [m].
        optimum: The hypervolume of the whole front.
    """

    nadir: Floats
    ideal: Floats
    optimum: float

    def volume(self, scores: Floats) -> float:
        """Return the hypervolume of scores [n, m], larger is better."""
        return hypervolume(self.scaled(scores), np.zeros(len(self.nadir)))

    def scaled(self, scores: Floats) -> Floats:
        """Return scores [n, m] with the ideal at 1 and the nadir at 0."""
        scaled: Floats = (scores - self.nadir) / (self.ideal - self.nadir)
        return scaled


def allowed(benchmark: Benchmark, objective: Objective) -> NDArray[np.bool_]:
    """Return which architectures of a table have all that is searched and keep the limits, [n]."""
    kept = np.ones(len(benchmark.table), dtype=np.bool_)
    for metric in objective.metrics:
        kept &= np.isfinite(benchmark.values(metric))
    for limit in objective.limits:
        kept &= np.array([limit.allows(v) for v in benchmark.values(limit.metric).tolist()])
    if not kept.any():
        limits = ", ".join(map(str, objective.limits)) or "none"
        raise NasError(f"no architecture of {benchmark.name} keeps the limits ({limits})")
    return kept


def scale_of(benchmark: Benchmark, objective: Objective) -> Scale:
    """Scale objectives by the Pareto front of a table.

    An objective in which the front has one value only has the table's worst as its nadir.

    Args:
        benchmark: Whose table.
        objective: Several metrics.

    Raises:
        NasError: If all architectures have the same value of one of them.
    """
    rows = allowed(benchmark, objective)
    scores = np.stack([g.sign * benchmark.values(g.metric)[rows] for g in objective.goals], axis=1)
    front = scores[non_dominated(scores)]
    ideal, nadir = front.max(0), front.min(0)
    nadir = np.where(nadir < ideal, nadir, scores.min(0))
    for goal, low, high in zip(objective.goals, nadir, ideal, strict=True):
        if low == high:
            raise NasError(
                f"objective '{goal.text}': all architectures of {benchmark.name} have the same"
            )
    scale = Scale(nadir, ideal, 0.0)
    return Scale(nadir, ideal, scale.volume(front))
