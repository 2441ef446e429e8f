"""Bandits over the decisions of a space as a strategy."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Protocol

from nas.objective import Measurement, Objective
from nas.space import Architecture, Choices, SearchSpace
from nas.strategies.strategy import Strategy

__all__ = ["BanditStrategy"]


class _Bandits(Protocol):
    """What `Cmab` and `Manas` have in common."""

    def ask(self, n: int) -> Choices: ...

    def tell(self, choices: tuple[int, ...], score: float) -> None: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class BanditStrategy(Strategy):
    """Hands everything on to bandits, which are made by `_bandits`."""

    def __init__(
        self, space: SearchSpace, objective: Objective, seed: int = 0, settings: Any = None
    ) -> None:
        assert self.Settings is not None
        super().__init__(space, objective, seed, settings or self.Settings())
        self.algorithm = self._bandits()

    @abstractmethod
    def _bandits(self) -> _Bandits:
        """Make the bandits."""

    def ask(self, n: int) -> list[Architecture]:
        return self.space.from_array(self.algorithm.ask(n))

    def tell(self, results: Sequence[tuple[Architecture, Measurement]]) -> None:
        for architecture, measurement in results:
            self.algorithm.tell(architecture.choices, self.objective.score(measurement))

    def remind(self, results: Sequence[tuple[Architecture, Measurement]]) -> None:
        """Learn nothing: a pull of an arm is an evaluation that was paid for."""
        del results

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"algorithm": deepcopy(self.algorithm.state_dict())}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.algorithm.load_state_dict(deepcopy(state["algorithm"]))
