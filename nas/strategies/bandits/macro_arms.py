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
        self._rows: Choices = np.zeros((0, len(space.decisions)), dtype=np.int64)
        self._arms = np.zeros(0, dtype=np.int64)  # of each row

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
        arm = self._arm[key]
        return self._sums[arm] / self._counts[arm]

    def add(self, choices: tuple[int, ...], score: float) -> None:
        """Count one pull."""
        row = np.array([choices], dtype=np.int64)
        [key] = self.keys(row)
        arm = self._arm.setdefault(key, len(self._sums))
        if arm == len(self._sums):
            self._sums.append(0.0)
            self._counts.append(0)
        self._sums[arm] += score
        self._counts[arm] += 1
        if choices not in self._seen:
            self._seen.add(choices)
            self._rows = np.concatenate([self._rows, row])
            self._arms = np.append(self._arms, arm)

    def best(self, prefix: Sequence[int] = ()) -> NDArray[np.int64] | None:
        """Return the best architecture [d] that starts with these choices; None if none does."""
        start = np.array(prefix, dtype=np.int64)
        alike = np.flatnonzero((self._rows[:, : len(prefix)] == start).all(1))
        if not len(alike):
            return None
        means = np.array(self._sums) / np.array(self._counts)
        found: NDArray[np.int64] = self._rows[alike[means[self._arms[alike]].argmax()]]
        return found
