"""What a search would return so far: the best architecture, or a front of them.

It is chosen by what the strategy was told, and judged by the means of all trainings: choosing by
one training a query, which may have been a lucky one, is part of what is compared.
"""

from __future__ import annotations

import numpy as np

from nas.benchmarks import Benchmark
from nas.comparison.facts import reported_metrics
from nas.comparison.front import Scale
from nas.objective import Measurement, Objective, non_dominated
from nas.space import Architecture

__all__ = ["FoundFront", "Incumbent"]


class Incumbent:
    """The best architecture by one metric; of equals the first.

    Args:
        benchmark: Whose means are taken.
        objective: One metric.
    """

    def __init__(self, benchmark: Benchmark, objective: Objective) -> None:
        self.benchmark, self.objective = benchmark, objective
        self.told = self.means = Measurement(error="nothing was found yet")
        self.hidden = reported_metrics(benchmark)

    def add(self, architecture: Architecture, told: Measurement) -> None:
        """Take what has been evaluated; what breaks a limit is never the best."""
        if self.objective.allows(told) and (
            not self.told.ok or self.objective.score(told) > self.objective.score(self.told)
        ):
            self.told, self.means = told, self.benchmark.measure(architecture)

    @property
    def quality(self) -> float | None:
        """The mean of what is searched; None before the first success."""
        return self.means.metrics.get(self.objective.metric)

    @property
    def reported(self) -> dict[str, float | None]:
        """What a search does not see, of the same architecture."""
        return {name: self.means.metrics.get(name) for name in self.hidden}


class FoundFront:
    """Architectures that no other dominates, by several metrics.

    Args:
        benchmark: Whose means are taken.
        objective: The metrics.
        scale: Of the hypervolume.
    """

    def __init__(self, benchmark: Benchmark, objective: Objective, scale: Scale) -> None:
        self.benchmark, self.objective, self.scale = benchmark, objective, scale
        self.told = self.means = np.zeros((0, len(objective.goals)))
        self.quality: float | None = None

    def add(self, architecture: Architecture, told: Measurement) -> None:
        """Take what has been evaluated, if it keeps the limits and none dominates it."""
        if not self.objective.allows(told):
            return
        means = self.benchmark.measure(architecture)
        self.told = np.vstack([self.told, self.objective.scores(told)])
        self.means = np.vstack([self.means, self.objective.scores(means)])
        best = non_dominated(self.told)
        changed = bool(best[-1])
        self.told, self.means = self.told[best], self.means[best]
        if changed:
            self.quality = self.scale.volume(self.means)

    @property
    def reported(self) -> dict[str, float | None]:
        """Nothing: a front has no one architecture of which to report."""
        return {}
