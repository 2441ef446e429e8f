"""Local search: from a good random start to a better neighbour, until there is none; then anew.

Source: White et al., Exploring the Loss Landscape in Neural Architecture Search, UAI 2021,
arXiv:2005.02960, algorithm 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nas import registry
from nas.errors import unknown
from nas.objective import Measurement, Objective
from nas.settings import require_ranges, setting
from nas.space import Architecture, SearchSpace
from nas.strategies.budgets import share_of_budget, under_limits
from nas.strategies.seen import Seen
from nas.strategies.strategy import Strategy

__all__ = ["LocalSearch", "LocalSearchSettings"]

_TRIES = 50


@dataclass
class LocalSearchSettings:
    """Settings of local search."""

    starts: int = setting(10, "random architectures, of which the best is where a climb begins")
    step: str = setting("first", "to the first better neighbour, or to the best of all of them")

    def __post_init__(self) -> None:
        if self.step not in ("first", "best"):
            raise unknown("strategy.step", self.step, ["first", "best"])
        require_ranges(self, "strategy", {"starts": (self.starts >= 1, "at least 1")})


@registry.register(
    "strategies",
    "local-search",
    "hill climbing over neighbours, with random restarts at local optima",
    "White et al., Exploring the Loss Landscape in Neural Architecture Search, UAI 2021, "
    "arXiv:2005.02960",
    differs="As in the authors' code a climb begins at the best of some random architectures "
    "(fewer with a small budget) and steps to the first better neighbour; `step=best` "
    "looks at all neighbours before a step.",
)
class LocalSearch(Strategy):
    """Neighbours are evaluated in random order; what is known already is not asked again.

    While results of the last neighbours are awaited, starts of the next climb are proposed.
    """

    Settings = LocalSearchSettings
    settings: LocalSearchSettings

    def __init__(
        self,
        space: SearchSpace,
        objective: Objective,
        seed: int = 0,
        settings: LocalSearchSettings | None = None,
    ) -> None:
        super().__init__(space, objective, seed, settings or LocalSearchSettings())
        self.seen = Seen(space)
        self.scores: dict[Architecture, float] = {}  # by canonical form, as all that follows
        self.started: list[Architecture] = []  # told since the last climb began
        self.current: Architecture | None = None
        self.queue: list[Architecture] = []  # neighbours to be compared, the next one last
        self.awaited: set[Architecture] = set()  # neighbours that were asked, not told
        self.late: set[Architecture] = set()  # neighbours awaited when the climb had gone on
        self.better: Architecture | None = None  # the best neighbour so far that is better

    # -- the budget ---------------------------------------------------------------------------

    @classmethod
    def defaults(cls, evaluations: int) -> dict[str, Any]:
        return {"starts": share_of_budget(evaluations, 15, 10)}

    @classmethod
    def initial_evaluations(cls, settings: Any) -> int:
        return int(settings.starts)

    # -- ask ----------------------------------------------------------------------------------

    def ask(self, n: int) -> list[Architecture]:
        return [self._propose() for _ in range(n)]

    def _propose(self) -> Architecture:
        proposed = self._neighbor() or self.seen.draw(self.rng, _TRIES - 1)
        self.seen.meet(proposed)
        return proposed

    def _neighbor(self) -> Architecture | None:
        """Return a neighbour that is not known yet; None where none is left to ask."""
        while self.queue:
            neighbor = self.queue.pop()
            key = self.space.canonical(neighbor)
            if key in self.scores:
                self._compare(key)
                self._advance()
            else:
                self.awaited.add(key)
                return neighbor
        return None

    # -- tell ---------------------------------------------------------------------------------

    def tell(self, results: Sequence[tuple[Architecture, Measurement]]) -> None:
        for architecture, measurement in results:
            key = self.space.canonical(architecture)
            self.seen.meet(architecture)
            self.scores[key] = float(self.objective.score(measurement))
            self._correct()
            if key in self.awaited:
                self.awaited.remove(key)
                self._compare(key)
            elif key in self.late:
                self.late.remove(key)
            else:
                self.started.append(key)
            self._advance()

    def _correct(self) -> None:
        """Forget a better neighbour that is none, as one of the two was evaluated again."""
        if self.better and self.current and self.scores[self.better] <= self.scores[self.current]:
            self.better = None

    def _compare(self, neighbor: Architecture) -> None:
        best = self.better or self.current
        if best is not None and self.scores[neighbor] > self.scores[best]:
            self.better = neighbor

    def _advance(self) -> None:
        """Step where that is due; at a local optimum, climb from the next start when there are."""
        enough = len(self.started) >= self._starts()
        # Results that never come must not hold up the search.
        done = not self.queue and (not self.awaited or enough)
        if self.better and (done or self.settings.step == "first"):
            self._climb_from(self.better)
        elif done and enough:
            best = max(self.started, key=self.scores.__getitem__)
            if self.scores[best] > -math.inf:
                self.started = []
                self._climb_from(best)

    def _starts(self) -> int:
        """Return how many starts there are to a climb; fewer where most break the limits."""
        most = self.settings.starts
        return under_limits(most, self.scores.values()) if self.objective.limits else most

    def _climb_from(self, architecture: Architecture) -> None:
        neighbors = {self.space.canonical(a): a for a in self.space.neighbors(architecture)}
        neighbors.pop(architecture, None)
        queue = list(neighbors.values())
        self.queue = [queue[i] for i in self.rng.permutation(len(queue)).tolist()]
        self.current, self.better = architecture, None
        self.late |= self.awaited
        self.awaited = set()

    # -- state --------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        one = {"current": self.current, "better": self.better}
        many = {"queue": self.queue, "started": self.started, "scored": list(self.scores)}
        sets = {"awaited": self.awaited, "late": self.late}
        return (
            super().state_dict()
            | {name: a and list(a.choices) for name, a in one.items()}
            | {name: [list(a.choices) for a in some] for name, some in many.items()}
            | {name: sorted(list(a.choices) for a in some) for name, some in sets.items()}
            | {"scores": list(self.scores.values()), "asked": self.seen.state_dict()}
        )

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.current, self.better = (
            state[name] and self.read(state[name]) for name in ("current", "better")
        )
        self.queue, self.started, scored = (
            [self.read(choices) for choices in state[name]]
            for name in ("queue", "started", "scored")
        )
        self.awaited, self.late = (
            {self.read(choices) for choices in state[name]} for name in ("awaited", "late")
        )
        self.seen.load_state_dict(state["asked"])
        self.scores = dict(zip(scored, state["scores"], strict=True))
