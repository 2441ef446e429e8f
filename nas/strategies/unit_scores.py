"""Scores between 0 and 1, for models and bounds that need one range for every metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.objective import BROKEN
from nas.strategies.ranks import share_worse

__all__ = ["UnitScores"]

Floats = NDArray[np.float64]


class UnitScores:
    """A scale from 0 (the worst known, and failures) to 1 (the best known).

    Values lie evenly between the worst and the best. Where some results break limits and others
    do not, values have the upper half, and what breaks limits the lower one, by rank: how far off
    the worst of them are must not hide which are nearly right.
    """

    def __init__(self) -> None:
        self.range: tuple[float, float] | None = (0.0, 1.0)
        """Values that count as the least and the most; None: none was known."""
        self.broken: Floats = np.empty(0)
        """Scores of what broke limits, ascending."""

    def fit(self, scores: Sequence[float]) -> None:
        """Take the scale of these scores, at least one of which is no failure."""
        measured = np.array(scores)
        values = measured[measured > BROKEN]
        self.broken = np.sort(measured[(measured <= BROKEN) & (measured > -np.inf)])
        self.range = (float(values.min()), float(values.max())) if len(values) else None
        if self.range and self.range[0] == self.range[1]:  # what is alone is good
            self.range = (self.range[0] - max(1.0, abs(self.range[0])), self.range[1])

    def __call__(self, scores: Sequence[float]) -> Floats:
        """Bring scores [n] to the scale, [n]; what is beyond its ends lies at them."""
        given = np.array(scores, dtype=np.float64)
        half = 0.5 if len(self.broken) and self.range else 0.0
        low, high = self.range or (BROKEN, BROKEN / 2)  # the first value there is, is the best
        unit: Floats = half + (1.0 - half) * np.clip((given - low) / (high - low), 0.0, 1.0)
        broken = given <= BROKEN
        if broken.any():
            rank = share_worse(given[broken], self.broken) if len(self.broken) else 0.0
            unit[broken] = (half or 1.0) * rank
        return unit

    def state_dict(self) -> dict[str, Any]:
        """Return the scale."""
        return {"range": self.range and list(self.range), "broken": self.broken.tolist()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned, or from what there was before limits."""
        self.range = state["range"] and (state["range"][0], state["range"][1])
        self.broken = np.array(state.get("broken", []), dtype=np.float64)
