"""The global bandit of CMAB-NAS: whole architectures seen, and the best that start alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nas.space import Choices, SearchSpace

__all__ = ["MacroArms"]


class MacroArms:
    """Mean scores of the architectures that were measured; equal networks are one arm.

    Args:
        space: Whose `keys` say which are equal.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self._arm: dict[int, int] = {}  # key -> arm
        self._sums: list[float] = []
        self._counts: list[int] = []
        self._seen: set[tuple[int, ...]] = set()
        self._rows: list[tuple[int, ...]] = []
        self._arms: list[int] = []  # of each row
        self._of_arm: list[list[int]] = []  # the rows of each arm
        self._best: dict[tuple[int, ...], int] = {}  # how rows start -> the best of them

    def keys(self, choices: Choices) -> list[int]:
        """Return the key of each of a population [n, d]."""
        keys: list[int] = self.space.keys(choices).tolist()
        return keys

    def __contains__(self, choices: tuple[int, ...]) -> bool:
        """Tell whether an architecture was measured in these very choices."""
        return choices in self._seen

    def known(self, key: int) -> bool:
        """Tell whether an architecture with this key was measured."""
        return key in self._arm

    def mean(self, key: int) -> float:
        """Return the mean score of a known arm."""
        return self._mean(self._arm[key])

    def _mean(self, arm: int) -> float:
        return self._sums[arm] / self._counts[arm]

    def add(self, choices: tuple[int, ...], score: float) -> None:
        """Count one pull."""
        [key] = self.keys(np.array([choices], dtype=np.int64))
        arm = self._arm.setdefault(key, len(self._sums))
        if arm == len(self._sums):
            self._sums.append(0.0)
            self._counts.append(0)
            self._of_arm.append([])
        before = self._mean(arm) if self._counts[arm] else None
        self._sums[arm] += score
        self._counts[arm] += 1
        if before is not None and self._mean(arm) != before:
            self._move(arm, worse=self._mean(arm) < before)
        if choices not in self._seen:
            self._seen.add(choices)
            self._of_arm[arm].append(len(self._rows))
            self._rows.append(choices)
            self._arms.append(arm)
            self._enter(len(self._rows) - 1)

    def _enter(self, row: int) -> None:
        """Let a row be the best of all that start like it, where it is; of equals the first is."""
        choices, mean = self._rows[row], self._mean(self._arms[row])
        for length in range(len(choices) + 1):
            best = self._best.setdefault(choices[:length], row)
            of_best = self._mean(self._arms[best])
            if mean > of_best or (mean == of_best and row < best):
                self._best[choices[:length]] = row

    def _move(self, arm: int, worse: bool) -> None:
        """Take in that the mean of an arm has changed."""
        for row in self._of_arm[arm]:
            self._enter(row)
        if not worse:
            return
        lost = {start for start, best in self._best.items() if self._arms[best] == arm}
        for start in lost:
            del self._best[start]
        for row, choices in enumerate(self._rows):
            if not lost.isdisjoint(choices[:length] for length in range(len(choices) + 1)):
                self._enter(row)

    def best(self, prefix: Sequence[int] = ()) -> NDArray[np.int64] | None:
        """Return the best architecture [d] that starts with these choices; None if none does."""
        row = self._best.get(tuple(prefix))
        return None if row is None else np.array(self._rows[row], dtype=np.int64)
