"""What a black-box strategy is: it proposes architectures and learns from measurements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from nas.objective import Measurement, Objective
from nas.space import Architecture, SearchSpace

__all__ = ["Strategy"]


class Strategy(ABC):
    """Ask for architectures, tell what was measured.

    Dropping duplicates, handling failures and recording are the search loop's business: a proposal
    that is known already is told at once with its known measurement. A subclass that has settings
    names a dataclass as `Settings`. `ask` may be called again before anything was told; `tell`
    takes results in any order, of any number, also of architectures that were not asked for.

    Args:
        space: What to search; only its decisions and populations may be used.
        objective: Which measurement is better.
        seed: Of every random choice.
        settings: An instance of `Settings`.
    """

    Settings: type | None = None
    several_objectives: ClassVar[bool] = False
    """Whether it heeds all metrics of an objective; the others heed the only one there is."""
    argument: ClassVar[str] = ""
    """The setting that stands behind the colon in `NAME:VALUE`; empty: none does."""

    def __init__(
        self, space: SearchSpace, objective: Objective, seed: int = 0, settings: Any = None
    ) -> None:
        self.space = space
        self.objective = objective
        self.rng = np.random.default_rng(seed)
        self.settings = settings

    def read(self, choices: Sequence[int]) -> Architecture:
        """Return the architecture of a row that a state holds."""
        return Architecture(self.space.name, tuple(choices))

    @abstractmethod
    def ask(self, n: int) -> list[Architecture]:
        """Propose n valid architectures."""

    def tell(self, results: Sequence[tuple[Architecture, Measurement]]) -> None:
        """Learn from measurements; nothing by default."""
        del results

    def state_dict(self) -> dict[str, Any]:
        """Return all that changes, as plain values and tensors."""
        return {"rng": self.rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self.rng.bit_generator.state = state["rng"]
