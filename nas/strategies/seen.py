"""Which architectures a strategy has met already, so that it proposes new ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nas.space import Architecture, Choices, SearchSpace

__all__ = ["Seen"]

_REDRAWS = 50


class Seen:
    """Architectures that were proposed or measured; equal networks (`canonical`) count as one.

    Args:
        space: Whose architectures.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.keys: set[int] = set()
        self._key_of: dict[Architecture, int] = {}  # some spaces take long to tell

    # -- one ----------------------------------------------------------------------------------

    def key(self, architecture: Architecture) -> int:
        """Return the number that equal networks share."""
        key = self._key_of.get(architecture)
        if key is None:
            key = int(self.space.keys(self.space.to_array([architecture]))[0])
            self._key_of[architecture] = key
        return key

    def __contains__(self, architecture: Architecture) -> bool:
        """Tell whether an architecture, or an equal one, was seen."""
        return self.key(architecture) in self.keys

    def meet(self, architecture: Architecture) -> bool:
        """Remember an architecture; tell whether neither it nor an equal one was seen before."""
        key = self._key_of.get(architecture)
        if key is None:
            key = self.key(architecture)
        if key in self.keys:
            return False
        self.keys.add(key)
        return True

    def draw(self, rng: np.random.Generator, redraws: int = _REDRAWS) -> Architecture:
        """Draw a random architecture; a seen one only where a new one is hard to find."""
        [drawn] = self.space.from_array(self.sample(rng, 1, redraws))
        return drawn

    # -- populations --------------------------------------------------------------------------

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

    def sample(self, rng: np.random.Generator, n: int, redraws: int = _REDRAWS) -> Choices:
        """Draw n random architectures [n, d]; seen ones only where new ones are hard to find.

        Args:
            rng: Of the draws.
            n: How many.
            redraws: How often seen ones are drawn again.
        """
        rows = self.space.sample_choices(rng, n)
        for _ in range(redraws):
            known = self.known(rows)
            if not known.any():
                break
            rows[known] = self.space.sample_choices(rng, int(known.sum()))
        return rows

    # -- state --------------------------------------------------------------------------------

    def state_dict(self) -> list[int]:
        """Return what was seen."""
        return sorted(self.keys)

    def load_state_dict(self, state: Sequence[int | Sequence[int]]) -> None:
        """Continue from what `state_dict` returned, or from rows of choices, as some kept once."""
        self.keys = {key for key in state if isinstance(key, int)}
        rows = [row for row in state if not isinstance(row, int)]
        if rows:
            self.add(np.array(rows, dtype=np.int64))
