"""How numbers change from epoch to epoch."""

from __future__ import annotations

import math

__all__ = ["cosine"]


def cosine(epoch: int, epochs: int, start: float, end: float) -> float:
    """Return a value that falls along half a cosine (SGDR, arXiv:1608.03983, eq. 5).

    Args:
        epoch: From 0, where the value is `start`.
        epochs: In how many of them it reaches `end`.
        start: The first value.
        end: What it falls to.
    """
    return end + (start - end) * (1 + math.cos(math.pi * epoch / epochs)) / 2
