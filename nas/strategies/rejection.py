"""Rejection: what is drawn and is not feasible is drawn again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nas.space import Choices, SearchSpace

__all__ = ["draw_feasible"]

_LARGEST_CHUNK = 1024


def draw_feasible(
    space: SearchSpace, rng: np.random.Generator, n: int, draw: Callable[[int], Choices]
) -> Choices:
    """Return n feasible samples [n, d] of a distribution, in the order they were drawn.

    Where hardly anything that is drawn is feasible, the rest is repaired (`space.repaired`), or
    drawn uniformly where even that is hard.

    Args:
        space: Whose constraint is kept.
        rng: For the rest.
        n: How many.
        draw: Number -> that many samples, [number, d], feasible or not.
    """
    found = [np.zeros((0, len(space.decisions)), dtype=np.int64)]
    most = space.rejection_draws * n
    size, drawn = n, 0
    while n > 0 and drawn < most:
        rows = draw(size)
        rows = rows[space.feasible(rows)][:n]
        found.append(rows)
        n, drawn, size = n - len(rows), drawn + size, min(2 * size, _LARGEST_CHUNK)
    if n > 0:
        found.append(space.repaired(draw(n), rng))
    return np.concatenate(found)
