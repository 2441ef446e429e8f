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

    Dropping duplicates, handling failures and recording are the search loop's business. Where the
    evaluator's answers are constant, a strategy is reminded at once of the measurement of a
    proposal that is known already (`remind`); where they change, it is evaluated again. A subclass
    that has settings names a dataclass as `Settings`. `ask` may be called again before anything
    was told; `tell` takes results in any order, of any number, also of architectures that were not
    asked for: those that a search was started from come before the first `ask`.

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

    def remind(self, results: Sequence[tuple[Architecture, Measurement]]) -> None:
        """Take what is known of proposals that were evaluated before.

        Nothing new was measured, and nothing of the budget was spent. By default it is told like
        all else; a strategy whose every result is a step of learning should learn nothing here.
        """
        self.tell(results)

    def learn_prior(self, scores: Sequence[tuple[Architecture, float]]) -> bool:
        """Use what architectures score in another task, before anything is asked or told.

        Args:
            scores: Each architecture and its score, larger is better, which is not on the scale of
                what will be told.

        Returns:
            Whether it can make use of that.
        """
        del scores
        return False

    # -- the budget ---------------------------------------------------------------------------

    @classmethod
    def defaults(cls, evaluations: int) -> dict[str, Any]:
        """Return the settings whose defaults follow from the number of evaluations."""
        del evaluations
        return {}

    @classmethod
    def initial_evaluations(cls, settings: Any) -> int:
        """Return how many results it takes before proposals depend on any."""
        del settings
        return 0

    def state_dict(self) -> dict[str, Any]:
        """Return all that changes, as plain values and tensors."""
        return {"rng": self.rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self.rng.bit_generator.state = state["rng"]
