"""New architectures from a strategy: what it proposes again, it is told again."""

from __future__ import annotations

from nas.objective import Measurement
from nas.space import Architecture, SearchSpace
from nas.strategies import Strategy

__all__ = ["MOST_REPEATS", "Proposals"]

MOST_REPEATS = 1000
"""Proposals in a row that were known already, after which nothing new is expected."""


class Proposals:
    """Asks a strategy and remembers measurements by `space.canonical`.

    Args:
        space: Whose `canonical` says which architectures are equal.
        strategy: Whom to ask.
    """

    def __init__(self, space: SearchSpace, strategy: Strategy) -> None:
        self.space, self.strategy = space, strategy
        self.known: dict[Architecture, Measurement] = {}
        self.exhausted = False
        """Whether the strategy proposes nothing new any more."""

    def ask(self, n: int) -> list[Architecture]:
        """Return n new, different architectures; fewer where the strategy has no new ones."""
        found: dict[Architecture, Architecture] = {}
        repeats = 0
        while len(found) < n and not self.exhausted:
            [architecture] = self.strategy.ask(1)
            key = self._key(architecture)
            if key not in self.known and key not in found:
                found[key], repeats = architecture, 0
                continue
            repeats += 1
            if key in self.known:
                self.strategy.tell([(architecture, self.known[key])])
            self.exhausted = repeats == MOST_REPEATS
        return list(found.values())

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
