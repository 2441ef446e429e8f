"""What a comparison came to, before any statistics."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from nas.comparison.facts import Facts
from nas.comparison.pool import Failure
from nas.comparison.protocol import COUNTED
from nas.comparison.repeat import Repeat
from nas.comparison.simulate import Budget

__all__ = ["Comparison"]


@dataclass
class Comparison:
    """What a comparison came to.

    Args:
        folder: Where it is recorded.
        facts: Of every benchmark, in order.
        strategies: Their names, in order.
        budget: Of every repeat.
        seed: Of the whole.
        repeats: All that were done, by benchmark, strategy and number.
        failures: Which could not be done, and why.
        protocol: "counted" or "noise-free".
        initial: Random architectures that came first, the same for all strategies in a repeat.
    """

    folder: Path
    facts: dict[str, Facts]
    strategies: list[str]
    budget: Budget
    seed: int
    repeats: list[Repeat]
    failures: dict[str, Failure] = field(default_factory=dict)
    protocol: str = COUNTED
    initial: int = 0

    def of(self, benchmark: str, strategy: str) -> list[Repeat]:
        """Return the repeats of one strategy on one benchmark."""
        return [r for r in self.repeats if (r.benchmark, r.strategy) == (benchmark, strategy)]
