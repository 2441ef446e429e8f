"""Which architectures a strategy has met already, so that it proposes new ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nas.space import Choices, SearchSpace

__all__ = ["Seen"]

_TRIES = 50


class Seen:
    """Architectures that were proposed or measured; equal networks (`canonical`) count as one.

    Args:
        space: Whose architectures.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.keys: set[int] = set()

    def add(self, choices: Choices) -> None:
        """Remember a population [n, d]."""
        self.keys.update(self.space.keys(choices).tolist())

    def known(self, choices: Choices) -> NDArray[np.bool_]:
        """Tell which rows of a population [n, d] were seen, or equal an earlier row of it."""
        met: set[int] = set()
        mask = np.zeros(len(choices), dtype=np.bool_)
        for row, key in enumerate(self.space.keys(choices).tolist()):
            mask[row] = key in self.keys or key in met
            met.add(key)
        return mask

    def new(self, choices: Choices) -> Choices:
        """Return the rows of a population [n, d] that were not seen, each once, in order."""
        return choices[~self.known(choices)]

    def sample(self, rng: np.random.Generator, n: int) -> Choices:
        """Draw n random architectures [n, d]; seen ones only where new ones are hard to find."""
        rows = self.space.sample_choices(rng, n)
        for _ in range(_TRIES):
            known = self.known(rows)
            if not known.any():
                break
            rows[known] = self.space.sample_choices(rng, int(known.sum()))
        return rows

    def state_dict(self) -> list[int]:
        """Return what was seen."""
        return sorted(self.keys)

    def load_state_dict(self, state: list[int]) -> None:
        """Continue from what `state_dict` returned."""
        self.keys = set(state)
