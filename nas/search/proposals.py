"""What a strategy proposes, and what becomes of architectures that it proposes again."""

from __future__ import annotations

from collections.abc import Container
from typing import Literal

import numpy as np

from nas.objective import Measurement
from nas.search.unseen import all_keys, unseen
from nas.space import Architecture, SearchSpace
from nas.storage import seed_of
from nas.strategies import Strategy

__all__ = ["MOST_REPEATS", "Proposals", "Repeats"]

Repeats = Literal["reminded", "evaluated", "told"]
"""What becomes of a proposal that is known: the strategy is reminded of it, it is evaluated again,
or (as in runs of before) the strategy is told the measurement as if it was new."""

MOST_REPEATS = 50
"""Proposals in a row that were known already, after which something new is taken instead."""
_MOST_TOLD = 1000  # the same in runs of before, which ended then


class Proposals:
    """Asks a strategy and remembers measurements by `space.canonical`.

    A strategy that goes on proposing what is known does not end a search: after `MOST_REPEATS` in a
    row the nearest new architecture that mutations of its last proposal lead to takes its place.

    Args:
        space: Whose `canonical` says which architectures are equal.
        strategy: Whom to ask. Its own space may be smaller, by limits.
        repeats: What becomes of a proposal that is known.
    """

    def __init__(
        self, space: SearchSpace, strategy: Strategy, repeats: Repeats = "reminded"
    ) -> None:
        self.space, self.strategy, self.repeats = space, strategy, repeats
        self.known: dict[Architecture, Measurement] = {}
        self.made = 0
        """How many proposals there were, repeats among them."""
        self.exhausted = False
        """Whether there is nothing new any more."""
        self._keys: frozenset[Architecture] | None = None  # of all there are, once they are needed

    def ask(self, n: int) -> list[Architecture]:
        """Return n architectures; new, different ones unless repeats are evaluated.

        Fewer where there is nothing new any more.
        """
        if self.repeats == "evaluated":
            proposed = self.strategy.ask(n)
            self.made += len(proposed)
            return proposed
        found: dict[Architecture, Architecture] = {}
        repeats = 0
        while len(found) < n and not self.exhausted:
            [architecture] = self.strategy.ask(1)
            self.made += 1
            key = self._key(architecture)
            if key not in self.known and key not in found:
                found[key], repeats = architecture, 0
                continue
            repeats += 1
            if key in self.known:
                self._say_known(architecture, self.known[key])
            if self._is_stuck(repeats, found):
                self._go_elsewhere(architecture, found)
                repeats = 0
        return list(found.values())

    def _say_known(self, architecture: Architecture, measurement: Measurement) -> None:
        say = self.strategy.tell if self.repeats == "told" else self.strategy.remind
        say([(architecture, measurement)])

    def _is_stuck(self, repeats: int, found: Container[Architecture]) -> bool:
        """Tell whether to wait no longer for the strategy."""
        if self.repeats == "told":
            return repeats == _MOST_TOLD
        return repeats == MOST_REPEATS or (repeats == 1 and self._all_known(found))

    def _all_known(self, found: Container[Architecture]) -> bool:
        """Tell whether every network of a small space is known; False where that is dear to say."""
        if self._keys is None:
            self._keys = all_keys(self.space, self.strategy.space)
        return bool(self._keys) and all(k in self.known or k in found for k in self._keys)

    def _go_elsewhere(self, near: Architecture, found: dict[Architecture, Architecture]) -> None:
        """Take something new near a proposal; note where there is none."""
        new = None
        if self.repeats != "told":
            seed = seed_of(0, "elsewhere", near.choices, len(self.known), len(found))
            rng = np.random.default_rng(seed)
            new = unseen(self.space, self.strategy.space, near, {*self.known, *found}, rng)
        if new is None:
            self.exhausted = True
        else:
            found[self._key(new)] = new

    def _key(self, architecture: Architecture) -> Architecture:
        try:
            return self.space.canonical(architecture)
        except Exception:
            self.space.require(architecture)  # says what is wrong with a proposal
            raise

    def tell(self, architecture: Architecture, measurement: Measurement) -> None:
        """Remember a measurement and tell it to the strategy."""
        self.remember(architecture, measurement)
        self.strategy.tell([(architecture, measurement)])

    def remember(self, architecture: Architecture, measurement: Measurement) -> None:
        """Remember a measurement that the strategy knows already."""
        self.known[self.space.canonical(architecture)] = measurement
