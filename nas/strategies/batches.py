"""Strategies that propose batch after batch, each from the scores of all that was told."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from nas.objective import Measurement, Objective
from nas.space import Architecture, Choices, SearchSpace
from nas.strategies.seen import Seen
from nas.strategies.strategy import Strategy

__all__ = ["BatchStrategy", "Row"]

Row = tuple[int, ...]
"""The choices of an architecture."""


class BatchStrategy(Strategy):
    """Hands out a batch one by one; the next one is made when it is asked for and none is left."""

    def __init__(
        self, space: SearchSpace, objective: Objective, seed: int = 0, settings: Any = None
    ) -> None:
        super().__init__(space, objective, seed, settings)
        self.seen = Seen(space)
        self.scores: dict[Row, float] = {}
        """Of what was told, the latest."""
        self.queue: list[Row] = []
        """The rest of the batch, the next one last."""

    @abstractmethod
    def next_batch(self) -> Choices:
        """Return architectures [at least 1, d], the first to be proposed first; they are seen."""

    def ask(self, n: int) -> list[Architecture]:
        return [self.read(self._propose()) for _ in range(n)]

    def _propose(self) -> Row:
        if not self.queue:
            self.queue = list(map(tuple, self.next_batch()[::-1].tolist()))
        return self.queue.pop()

    def tell(self, results: Sequence[tuple[Architecture, Measurement]]) -> None:
        for architecture, measurement in results:
            self.seen.meet(architecture)
            self.scores[architecture.choices] = float(self.objective.score(measurement))

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "seen": self.seen.state_dict(),
            "told": [[list(row), score] for row, score in self.scores.items()],
            "queue": [list(row) for row in self.queue],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.seen.load_state_dict(state["seen"])
        self.scores = {tuple(row): score for row, score in state["told"]}
        self.queue = [tuple(row) for row in state["queue"]]
