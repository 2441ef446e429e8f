"""One repeat of a comparison: what one strategy with one seed did on one benchmark."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nas.errors import NasError

__all__ = ["Repeat"]


@dataclass
class Repeat:
    """A trajectory, one entry an evaluation, in the order in which evaluations ended.

    Args:
        benchmark: `NAME` or `NAME:PROBLEM`.
        strategy: Its name.
        repeat: Its number, from 0.
        seed: What the strategy was started with.
        choices: The evaluated architectures.
        values: What the strategy was told of what was searched; None where the table has no number.
        seconds: Simulated time at which each evaluation ended.
        best: Of the architecture with the best value up to then, the mean of all its trainings;
            None before the first success.
        reported: Metric -> its value of that architecture, the mean too.
        stopped: Why it ended: "evaluations", "seconds", or "exhausted" (the strategy proposed
            nothing new any more).
        wall: Seconds that it really took.
        proposals: How many architectures the strategy proposed, repeats included; 0 where this was
            not recorded.
    """

    benchmark: str
    strategy: str
    repeat: int
    seed: int
    choices: list[list[int]] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    best: list[float | None] = field(default_factory=list)
    reported: dict[str, list[float | None]] = field(default_factory=dict)
    stopped: str = ""
    wall: float = 0.0
    proposals: int = 0

    @property
    def key(self) -> tuple[str, str, int]:
        """What tells it from the others of a comparison."""
        return self.benchmark, self.strategy, self.repeat

    def __len__(self) -> int:
        return len(self.values)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Repeat:
        """Read what `to_json` gave; raises `NasError` on anything else."""
        try:
            repeat = cls(**data)
            lists: list[list[Any]] = [repeat.choices, repeat.values, repeat.seconds, repeat.best]
            lengths = {len(entries) for entries in [*lists, *repeat.reported.values()]}
            if len(lengths) != 1:
                raise ValueError("its lists have different lengths")
        except (TypeError, ValueError, AttributeError) as error:
            raise NasError(f"not a repeat of a comparison: {error}") from error
        return repeat
