"""How the results of each arm rank among all, kept up to date as results come."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["RankSums"]


class RankSums:
    """For each arm the sum, over its pulls, of how many results are worse than theirs.

    Half of those that are as good count, a pull itself among them. A result adds one to the ranks
    of all that are better: that is counted arm by arm, which hardly takes longer with more results.

    Args:
        arms: How many there are.
    """

    def __init__(self, arms: int) -> None:
        self.all: list[float] = []  # all scores, ascending
        self.of_arm: list[list[float]] = [[] for _ in range(arms)]  # ascending, too
        self.sums = [0.0] * arms

    def number(self, score: float) -> float:
        """Return how many results are worse than a score, and half of those that are as good."""
        return (bisect_left(self.all, score) + bisect_right(self.all, score)) / 2

    def add(self, arms: Sequence[int], score: float) -> None:
        """Take in the result of one pull.

        Args:
            arms: Those that were pulled together.
            score: Larger is better; -inf is a failure.
        """
        for arm, scores in enumerate(self.of_arm):
            if scores:
                after, before = bisect_right(scores, score), bisect_left(scores, score)
                self.sums[arm] += len(scores) - (after + before) / 2
        insort(self.all, score)
        number = self.number(score)
        for arm in arms:
            insort(self.of_arm[arm], score)
            self.sums[arm] += number

    def shares(self) -> NDArray[np.float64]:
        """Return for each arm the sum of its pulls' shares of worse results, [arms]."""
        sums: NDArray[np.float64] = np.array(self.sums) / max(len(self.all), 1)
        return sums
