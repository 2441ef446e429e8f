"""What the agents of all decisions have seen: how good every result is among all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.objective import BROKEN
from nas.space import Choices, SearchSpace
from nas.strategies.bandits.rank_sums import RankSums

__all__ = ["Pulls"]


class Pulls:
    """Results in the order they were told.

    Bandits need rewards in [0, 1]. Metrics have no common scale, and one diverged network would
    squeeze all others together; so a reward by rank is the share of results so far that are worse,
    and half of those that are as good. Failures are the worst, and what breaks a limit is the
    worse the more it does. A reward by score is the metric itself (of failures and of what breaks
    a limit, the worst there was), which should be a share.

    Args:
        space: Whose decisions are the bandits, their options the arms.
        by: "rank" or "score".
    """

    def __init__(self, space: SearchSpace, by: str = "rank") -> None:
        self.space, self.by = space, by
        self.starts = np.cumsum([0, *space.cardinalities])
        self._clear()

    def _clear(self) -> None:
        arms = int(self.starts[-1])
        self.rows: list[tuple[int, ...]] = []
        self.scores: list[float] = []
        self.counts = np.zeros(arms)
        """How often each arm was pulled, [arms]."""
        self._ranks = RankSums(arms)
        self._values = np.zeros(arms)  # sums of scores that are values
        self._without = np.zeros(arms)  # pulls that have none
        self._worst: float | None = None  # value

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, choices: tuple[int, ...], score: float) -> None:
        """Remember a result."""
        self.rows.append(choices)
        self.scores.append(score)
        [arms] = self.arms(np.array([choices], dtype=np.int64))
        self.counts[arms] += 1
        if self.by == "rank":
            self._ranks.add(arms.tolist(), score)
        elif score > BROKEN:
            self._values[arms] += score
            self._worst = score if self._worst is None else min(score, self._worst)
        else:
            self._without[arms] += 1

    def reward(self, score: float) -> float:
        """Return what the score of a result is worth by now; equal scores have equal rewards."""
        if self.by == "rank":
            return self._ranks.number(score) / len(self)
        return score if score > BROKEN else self._worst or 0.0

    def sums(self) -> NDArray[np.float64]:
        """Return for each arm the sum of its pulls' rewards by now, [arms]."""
        if self.by == "rank":
            return self._ranks.shares()
        total: NDArray[np.float64] = self._values + self._without * (self._worst or 0.0)
        return total

    def arms(self, choices: Choices) -> list[NDArray[np.int64]]:
        """Return for each of a population [n, d] the arms its active decisions pulled."""
        active = self.space.active(choices)
        return [row[on] for row, on in zip(choices + self.starts[:-1], active, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """Return all that changes."""
        return {"rows": [list(row) for row in self.rows], "scores": list(self.scores)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        rows: Sequence[Sequence[int]] = state["rows"]
        self._clear()
        for row, score in zip(rows, state["scores"], strict=True):
            self.add(tuple(row), score)
