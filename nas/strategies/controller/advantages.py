"""How much better than expected every decision of an architecture was.

Source: Schulman et al., High-Dimensional Continuous Control Using Generalized Advantage
Estimation, ICLR 2016, arXiv:1506.02438, eq. 16.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["advantages"]


def advantages(rewards: Tensor, values: Tensor, active: Tensor, decay: float) -> Tensor:
    """Return generalised advantage estimates, undiscounted, with the reward after the last step.

    Args:
        rewards: Of every architecture, [n].
        values: Expected before every decision, [n, d].
        active: Which decisions are steps, [n, d]; the others are passed over.
        decay: Lambda; 1 gives the reward less the value.

    Returns:
        [n, d], 0 where inactive.
    """
    following, running = rewards, torch.zeros_like(rewards)
    found = []
    for column in reversed(range(values.shape[1])):
        on, value = active[:, column], values[:, column]
        running = torch.where(on, following - value + decay * running, running)
        following = torch.where(on, value, following)
        found.append(running * on)
    return torch.stack(found[::-1], 1)
