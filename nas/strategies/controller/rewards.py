"""What a score is worth to a controller: its distance from the mean score, in deviations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["RewardScale"]


class RewardScale:
    """The running mean and standard deviation of all scores told, and the worst of them.

    Scores are shares, losses in nats or milliseconds; as rewards they are all of order 1, so that
    entropy weights and value heads mean the same everywhere (Adam alone would not mind). A failure
    or a broken limit, which has no score, is rewarded as the worst score seen.
    """

    def __init__(self) -> None:
        self.count, self.mean, self.squares, self.worst = 0, 0.0, 0.0, math.inf

    def add(self, scores: Sequence[float]) -> None:
        """Take in scores; those that are not finite are passed over."""
        for score in filter(math.isfinite, scores):
            self.count += 1
            before = score - self.mean
            self.mean += before / self.count
            self.squares += before * (score - self.mean)  # Welford's sum of squared deviations
            self.worst = min(self.worst, score)

    def rewards(self, scores: Sequence[float], dtype: torch.dtype) -> Tensor:
        """Return the rewards of scores, [n]; there must have been one that is finite."""
        deviation = math.sqrt(self.squares / self.count) or 1.0
        finite = [score if math.isfinite(score) else self.worst for score in scores]
        return torch.tensor([(score - self.mean) / deviation for score in finite], dtype=dtype)

    def state_dict(self) -> dict[str, Any]:
        """Return all that changes."""
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        vars(self).update(state)
