"""NSGA-II: evolution towards all trade-offs between several objectives at once.

Source: Deb et al., A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II, IEEE TEC 2002;
for architectures: Lu et al., NSGA-Net, GECCO 2019, arXiv:1810.03522.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas import registry
from nas.objective import Measurement, Objective, crowding_distance, non_dominated_sort
from nas.settings import require_ranges, setting
from nas.space import Architecture, Choices, SearchSpace
from nas.strategies.budgets import share_of_budget, under_limits
from nas.strategies.seen import Seen
from nas.strategies.strategy import Strategy
from nas.strategies.variation import crossed, mutated

__all__ = ["NSGA2", "NSGA2Settings", "breed", "survivors"]

_TRIES = 20
Floats = NDArray[np.float64]
Member = tuple[tuple[int, ...], tuple[float, ...]]
"""Choices, and a score an objective."""


@dataclass
class NSGA2Settings:
    """Settings of NSGA-II."""

    population: int = setting(20, "members, and children of a generation")
    crossover: float = setting(0.9, "chance of a child to have two parents")
    mutations: float = setting(1.0, "decisions changed for a child, on average")

    def __post_init__(self) -> None:
        ranges = {
            "population": (self.population >= 2, "at least 2"),
            "crossover": (0 <= self.crossover <= 1, "0 to 1"),
            "mutations": (0 <= self.mutations < math.inf, "at least 0"),
        }
        require_ranges(self, "strategy", ranges)


# -- the parts, for populations -------------------------------------------------------------------


def survivors(scores: Floats, n: int) -> NDArray[np.int64]:
    """Return which n candidates survive: by front, in a front the least crowded.

    Args:
        scores: [m, number of objectives], larger is better.
        n: How many; all where there are fewer.

    Returns:
        Their rows, the best first.
    """
    fronts = non_dominated_sort(scores)
    order: NDArray[np.int64] = np.lexsort((-crowding_distance(scores, fronts), fronts))
    return order[:n]


def breed(
    space: SearchSpace,
    parents: Choices,
    scores: Floats,
    n: int,
    settings: NSGA2Settings,
    rng: np.random.Generator,
) -> Choices:
    """Return n children [n, d]: binary tournaments, uniform crossover, mutation; all valid.

    Args:
        space: Whose architectures.
        parents: [m, d].
        scores: Of the parents, [m, number of objectives].
        n: How many children.
        settings: The rates.
        rng: Of every random choice.
    """
    place = np.empty(len(parents), dtype=np.int64)
    place[survivors(scores, len(parents))] = np.arange(len(parents))
    mothers, fathers = (_tournament(place, n, rng) for _ in range(2))
    children = parents[mothers]
    two = np.flatnonzero(rng.random(n) < settings.crossover)
    children[two] = crossed(space, children[two], parents[fathers[two]], rng)
    d = len(space.decisions)
    counts = rng.binomial(d, min(1.0, settings.mutations / d), n)
    for step in range(int(counts.max(initial=0))):
        more = counts > step
        children[more] = mutated(space, children[more], rng)
    return children


def _tournament(place: NDArray[np.int64], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the better of two random parents, n times; `place` is the rank of each, 0 the best."""
    pairs = rng.integers(0, len(place), (n, 2))
    winners: NDArray[np.int64] = pairs[np.arange(n), place[pairs].argmin(1)]
    return winners


# -- the strategy ---------------------------------------------------------------------------------


@registry.register(
    "strategies",
    "nsga-ii",
    "NSGA-II: evolution for several objectives, by fronts and crowding",
    "Deb et al., NSGA-II, IEEE TEC 2002; Lu et al., NSGA-Net, GECCO 2019, arXiv:1810.03522",
    differs="Operators are uniform crossover and mutation of decisions, where the papers have "
    "operators for real numbers and for bit strings; a child is mutated until it is new. "
    "NSGA-Net has `population=40`.",
)
class NSGA2(Strategy):
    """A generation ends when as many children were told as there are members.

    Results may come in any order: a child that is told later counts in the next generation.
    Children that were proposed before are mutated further until they are new; random architectures
    take their places if that does not help.
    """

    Settings = NSGA2Settings
    several_objectives = True
    settings: NSGA2Settings

    def __init__(
        self,
        space: SearchSpace,
        objective: Objective,
        seed: int = 0,
        settings: NSGA2Settings | None = None,
    ) -> None:
        super().__init__(space, objective, seed, settings or NSGA2Settings())
        self.seen = Seen(space)
        self.members: list[Member] = []
        self.children: list[Member] = []  # told since the last generation ended

    # -- the budget ---------------------------------------------------------------------------

    @classmethod
    def defaults(cls, evaluations: int) -> dict[str, Any]:
        return {"population": share_of_budget(evaluations, 5, 20, least=2)}

    @classmethod
    def initial_evaluations(cls, settings: Any) -> int:
        return int(settings.population)

    # -- ask ----------------------------------------------------------------------------------

    def ask(self, n: int) -> list[Architecture]:
        rows = self._bred(n) if self.members else self.seen.sample(self.rng, n)
        self.seen.add(rows)
        return self.space.from_array(rows)

    def _bred(self, n: int) -> Choices:
        parents = np.array([choices for choices, _ in self.members], dtype=np.int64)
        rows = breed(self.space, parents, self._scores(self.members), n, self.settings, self.rng)
        for _ in range(_TRIES):
            known = self.seen.known(rows)
            further = mutated(self.space, rows[known], self.rng)
            if (further == rows[known]).all():  # none is known, or nothing valid is next to them
                break
            rows[known] = further
        known = self.seen.known(rows)
        rows[known] = self.seen.sample(self.rng, int(known.sum()))
        return rows

    @staticmethod
    def _scores(some: Sequence[Member]) -> Floats:
        return np.array([scores for _, scores in some])

    # -- tell ---------------------------------------------------------------------------------

    def tell(self, results: Sequence[tuple[Architecture, Measurement]]) -> None:
        for architecture, measurement in results:
            self.seen.add(self.space.to_array([architecture]))
            scores = tuple(map(float, self.objective.scores(measurement)))
            self.children.append((architecture.choices, scores))
            if len(self.children) >= self._generation():
                self._end_generation()

    def _generation(self) -> int:
        """Return how many children a generation has; fewer where most break the limits."""
        most = self.settings.population
        if not self.objective.limits:
            return most
        return under_limits(most, (s[0] for _, s in chain(self.members, self.children)))

    def _end_generation(self) -> None:
        """Keep the best of members and children, each once; failures only die out."""
        everyone = dict(self.members) | dict(self.children)
        alive = [(a, scores) for a, scores in everyone.items() if -math.inf not in scores]
        self.children = []
        if alive:
            kept = survivors(self._scores(alive), self.settings.population)
            self.members = [alive[row] for row in kept.tolist()]

    # -- state --------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "members": list(self.members),
            "children": list(self.children),
            "seen": self.seen.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.members, self.children = list(state["members"]), list(state["children"])
        self.seen.load_state_dict(state["seen"])
