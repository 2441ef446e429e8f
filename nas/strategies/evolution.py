"""Regularised evolution: a mutated winner of a tournament is born, the oldest member dies.

Source: Real et al., Regularized Evolution for Image Classifier Architecture Search, AAAI 2019,
arXiv:1802.01548, algorithm 1.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from nas import registry
from nas.errors import NasError, unknown
from nas.objective import Measurement, Objective
from nas.settings import require_ranges, setting
from nas.space import Architecture, SearchSpace
from nas.strategies.budgets import share_of_budget, under_limits
from nas.strategies.seen import Seen
from nas.strategies.strategy import Strategy

__all__ = ["EvolutionSettings", "RegularizedEvolution"]

_TRIES = 20
_score = itemgetter(1)


@dataclass
class EvolutionSettings:
    """Settings of regularised evolution.

    The paper's population and tournament are 100 and 25, for 20,000 evaluations. The defaults are
    for some hundreds: of 10/3, 10/5, 20/5, 20/10, 30/10 and 50/10 they did well after 150
    everywhere (NAS-Bench-Graph, NAS-Bench-201, a synthetic space); 30/10 is better after 600.
    """

    population: int = setting(20, "members; as many random architectures come first")
    tournament: int = setting(10, "members drawn, of which the best is the parent")
    mutations: int = setting(1, "decisions changed for a child")
    crossover: float = setting(0.0, "chance of a child to have two parents (the paper: none)")
    removal: str = setting("oldest", "who makes room: oldest (ageing), or worst")

    def __post_init__(self) -> None:
        if self.removal not in ("oldest", "worst"):
            raise unknown("strategy.removal", self.removal, ["oldest", "worst"])
        ranges = {
            "population": (self.population >= 1, "at least 1"),
            "tournament": (self.tournament >= 1, "at least 1"),
            "mutations": (self.mutations >= 1, "at least 1"),
            "crossover": (0 <= self.crossover <= 1, "0 to 1"),
        }
        require_ranges(self, "strategy", ranges)


@registry.register(
    "strategies",
    "evolution",
    "regularised (ageing) evolution: mutated winners of tournaments, the oldest dies",
    "Real et al., Regularized Evolution for Image Classifier Architecture Search, AAAI 2019, "
    "arXiv:1802.01548",
    differs="20 members and tournaments of 10 (fewer with a small budget), drawn with replacement, "
    "where the paper has 100 and 25; a child is mutated until it is new. `aging-evolution` is "
    "the original.",
)
class RegularizedEvolution(Strategy):
    """Plain Python: an ask and a tell take ten to twenty microseconds.

    A failure never becomes a member. What breaks a limit does; it loses against all that keeps
    them, and against what breaks them less. A child that was proposed before is mutated further
    until it is new; a random architecture takes its place if that does not help.
    """

    Settings: type | None = EvolutionSettings
    settings: EvolutionSettings

    def __init__(
        self,
        space: SearchSpace,
        objective: Objective,
        seed: int = 0,
        settings: EvolutionSettings | None = None,
    ) -> None:
        super().__init__(space, objective, seed, settings or EvolutionSettings())
        self.members: deque[tuple[Architecture, float]] = deque()  # the oldest first
        self._joined: set[tuple[int, ...]] = set()  # who is a member, or was one
        self.told = 0
        self.seen = Seen(space)

    # -- the budget ---------------------------------------------------------------------------

    @classmethod
    def defaults(cls, evaluations: int) -> dict[str, Any]:
        population = share_of_budget(evaluations, 5, 20, least=2)
        return {"population": population, "tournament": max(2, population // 2)}

    @classmethod
    def initial_evaluations(cls, settings: Any) -> int:
        return int(settings.population)

    # -- ask ----------------------------------------------------------------------------------

    def ask(self, n: int) -> list[Architecture]:
        return [self._propose() for _ in range(n)]

    def _propose(self) -> Architecture:
        return self._child() if self.members and self._has_begun() else self._random()

    def _has_begun(self) -> bool:
        """Tell whether there was enough of what is random."""
        most = self.settings.population
        if self.told >= most or not self.objective.limits:
            return self.told >= most
        return self.told >= under_limits(most, (score for _, score in self.members))

    def _random(self) -> Architecture:
        drawn = self.seen.draw(self.rng, _TRIES - 1)
        self.seen.meet(drawn)
        return drawn

    def _child(self) -> Architecture:
        child = self._winner()
        chance = self.settings.crossover
        if chance and self.rng.random() < chance:
            child = self.space.crossover(child, self._winner(), self.rng)
        try:
            for _ in range(self.settings.mutations):
                child = self.space.mutate(child, self.rng)
            for _ in range(_TRIES):
                if self.seen.meet(child):
                    return child
                child = self.space.mutate(child, self.rng)
        except NasError:  # an architecture that nothing valid is next to
            pass
        return self._random()

    def _winner(self) -> Architecture:
        """Return the best of some members, drawn with replacement."""
        members, n = self.members, len(self.members)
        draws = self.rng.random(self.settings.tournament).tolist()
        return max([members[int(draw * n)] for draw in draws], key=_score)[0]

    # -- tell ---------------------------------------------------------------------------------

    def tell(self, results: Sequence[tuple[Architecture, Measurement]]) -> None:
        for architecture, measurement in results:
            self.told += 1
            self.seen.meet(architecture)
            score = float(self.objective.score(measurement))
            if architecture.choices in self._joined:
                self._correct(architecture, score)
            if score > -math.inf:
                self.members.append((architecture, score))
                self._joined.add(architecture.choices)
            if len(self.members) > self.settings.population:
                self._remove()

    def _correct(self, architecture: Architecture, score: float) -> None:
        """Give a member that was evaluated again its new score; what fails now is none."""
        for i, (member, before) in enumerate(self.members):
            if member == architecture and before != score:
                self.members[i] = member, score
        if score == -math.inf:
            self.members = deque(m for m in self.members if m[1] > -math.inf)

    def _remove(self) -> None:
        if self.settings.removal == "oldest":
            self.members.popleft()
        else:
            self.members.remove(min(self.members, key=_score))

    # -- state --------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "members": [(list(a.choices), score) for a, score in self.members],
            "told": self.told,
            "seen": self.seen.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.members = deque((self.read(choices), score) for choices, score in state["members"])
        self._joined = {architecture.choices for architecture, _ in self.members}
        self.told = state["told"]
        self.seen.load_state_dict(state["seen"])
