"""What comes of judging evaluators by a table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.comparison.agreement import Agreement
from nas.comparison.facts import Facts

__all__ = ["Correlation", "Judged"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """What one evaluator said.

    Args:
        scores: Larger for the better, [n]; NaN where it failed.
        seconds: Mean time of one evaluation; 0 for a column of the table.
        agreements: Metric of the table -> how the scores agree with it, what failed ranking last;
            empty where fewer than 3 architectures have a score.
    """

    scores: Floats
    seconds: float
    agreements: dict[str, Agreement]

    @property
    def failed(self) -> int:
        """How many architectures it could not judge."""
        return int(np.isnan(self.scores).sum())


@dataclass(frozen=True)
class Correlation:
    """Several evaluators against one benchmark.

    Args:
        folder: Where it is recorded.
        facts: Of the benchmark.
        targets: Metric -> its true values, larger for the better, [n].
        described: Metric -> which column that is, in words.
        judged: Evaluator -> what it said, the best by the last target first; columns of the table
            that are known without training (params, flops) are among them, as baselines.
        trained_on: Architectures that predictors were fitted to.
        baseline: Which of `judged` the others are compared with: the number of parameters; None
            where nothing tells it.
    """

    folder: Path
    facts: Facts
    targets: dict[str, Floats]
    described: dict[str, str]
    judged: dict[str, Judged]
    trained_on: int
    baseline: str | None = None

    @property
    def n(self) -> int:
        """How many architectures every evaluator is judged by."""
        return len(next(iter(self.targets.values())))
