"""What a score is worth to a controller: its rank among the results before it, or itself."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from nas.objective import BROKEN
from nas.strategies.ranks import share_worse

__all__ = ["RewardScale"]

_WINDOW = 1000  # results


class RewardScale:
    """Rewards by rank, of mean 0 and deviation 1 and the same for every metric; or scores.

    A reward by rank is the share of the last 1000 results that are worse (half of those that are as
    good among them), less a half, over the deviation of a uniform share. Scores themselves, which
    the papers take, would do where they are all alike in size, but networks that fail to train have
    such bad ones that the good would hardly differ. A failure is a worst result; what breaks a
    limit is the worse the more it does. As scores both are the worst that keeps the limits.

    Args:
        by: "rank" or "score".
    """

    def __init__(self, by: str = "rank") -> None:
        self.by = by
        self.scores: list[float] = []  # the last ones, oldest first

    def add(self, scores: Sequence[float]) -> None:
        """Take in scores; what is not a number counts as a failure."""
        self.scores += [-math.inf if math.isnan(score) else score for score in scores]
        del self.scores[:-_WINDOW]

    def known(self) -> bool:
        """Tell whether there was anything but failures."""
        return any(map(math.isfinite, self.scores))

    def rewards(self, scores: Sequence[float], dtype: torch.dtype) -> Tensor:
        """Return the rewards of scores that were taken in before, [n]."""
        given = np.nan_to_num(scores, nan=-np.inf, neginf=-np.inf)
        if self.by == "score":
            kept = [score for score in self.scores if score > BROKEN]
            return torch.from_numpy(np.maximum(given, min(kept, default=0.0))).to(dtype)
        share = share_worse(given, self.scores)
        return torch.from_numpy((share - 0.5) * math.sqrt(12)).to(dtype)
