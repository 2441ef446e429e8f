"""What the agents of all decisions have seen: every result told, and how good it is among all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.space import Choices, SearchSpace
from nas.strategies.ranks import share_worse

__all__ = ["Pulls"]


class Pulls:
    """Results in the order they were told.

    Bandits need rewards in [0, 1]. Metrics have no common scale, and one diverged network would
    squeeze all others together; so a reward is the share of results so far that are worse, and
    half of those that are as good. Failures and broken limits (score -inf) are the worst.

    Args:
        space: Whose decisions are the bandits, their options the arms.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.starts = np.cumsum([0, *space.cardinalities])
        self.rows: list[tuple[int, ...]] = []
        self.scores: list[float] = []
        self._choices: Choices = np.zeros((0, len(space.decisions)), dtype=np.int64)

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, choices: tuple[int, ...], score: float) -> None:
        """Remember a result."""
        self.rows.append(choices)
        self.scores.append(score)

    def choices(self) -> Choices:
        """Return the architectures, [t, d]."""
        new = self.rows[len(self._choices) :]
        if new:
            self._choices = np.concatenate([self._choices, np.array(new, dtype=np.int64)])
        return self._choices

    def rewards(self) -> NDArray[np.float64]:
        """Return the rewards of all results, [t]; equal scores have equal rewards."""
        return share_worse(self.scores, self.scores)

    def arms(self, choices: Choices) -> list[NDArray[np.int64]]:
        """Return for each of a population [n, d] the arms its active decisions pulled."""
        active = self.space.active(choices)
        return [row[on] for row, on in zip(choices + self.starts[:-1], active, strict=True)]

    def totals(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return how often each arm was pulled, and the sum of its rewards, both [arms]."""
        choices = self.choices()
        active = self.space.active(choices)
        arms = (choices + self.starts[:-1])[active]
        rewards = np.broadcast_to(self.rewards()[:, None], choices.shape)[active]
        n = int(self.starts[-1])
        counts = np.bincount(arms, minlength=n).astype(np.float64)
        sums: NDArray[np.float64] = np.bincount(arms, weights=rewards, minlength=n).astype(float)
        return counts, sums

    def state_dict(self) -> dict[str, Any]:
        """Return all that changes."""
        return {"rows": [list(row) for row in self.rows], "scores": list(self.scores)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        rows: Sequence[Sequence[int]] = state["rows"]
        self.rows, self.scores = [tuple(row) for row in rows], list(state["scores"])
        self._choices = self._choices[:0]
