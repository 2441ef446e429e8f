"""The evolutionary search of single-path one-shot: elitist, with mutation and crossover.

Source: Guo et al., Single Path One-Shot Neural Architecture Search with Uniform Sampling, ECCV
2020, arXiv:1904.00420, algorithm 1; the authors' published program.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nas import registry
from nas.objective import Objective
from nas.settings import require_ranges, setting
from nas.space import Choices, SearchSpace
from nas.strategies.batches import BatchStrategy
from nas.strategies.budgets import share_of_budget

__all__ = ["SPOS", "SPOSSettings"]

_TRIES = 10  # candidates made for each that is wanted, before the rest is random


@dataclass
class SPOSSettings:
    """Settings of SPOS's search, by default the authors'; with 1,000 evaluations, 20 generations.

    With a smaller budget generations are a tenth of it, and the other numbers follow.
    """

    population: int = setting(50, "architectures of a generation; the first are random")
    select: int = setting(10, "the best of all generations, which are parents")
    mutations: int = setting(25, "mutants of a generation")
    crossovers: int = setting(25, "children of two parents of a generation")
    chance: float = setting(0.1, "of each decision of a mutant to be drawn anew")

    def __post_init__(self) -> None:
        ranges = {n: (getattr(self, n) >= 1, "at least 1") for n in ("population", "select")}
        ranges |= {n: (getattr(self, n) >= 0, "at least 0") for n in ("mutations", "crossovers")}
        ranges["chance"] = (0 < self.chance <= 1, "above 0, to 1")
        require_ranges(self, "strategy", ranges)


@registry.register(
    "strategies",
    "spos",
    "SPOS's evolution: the best of all generations are mutated and crossed; with a supernet: SPOS",
    "Guo et al., Single Path One-Shot Neural Architecture Search with Uniform Sampling, ECCV 2020, "
    "arXiv:1904.00420",
    differs="With fewer than 500 evaluations generations have a tenth of them instead of 50 "
    "members, and parents and children are fewer in proportion; "
    "`population=50 select=10 mutations=25 crossovers=25` is the original.",
)
class SPOS(BatchStrategy):
    """A generation is half mutants, half crossings of the best of all; the rest is random.

    Nothing is evaluated twice. A generation is bred from what was told when the last one was asked
    for, so that nothing waits for results.
    """

    Settings = SPOSSettings
    settings: SPOSSettings

    def __init__(
        self, space: SearchSpace, objective: Objective, seed: int = 0, settings: Any = None
    ) -> None:
        super().__init__(space, objective, seed, settings or SPOSSettings())

    # -- the budget ---------------------------------------------------------------------------

    @classmethod
    def defaults(cls, evaluations: int) -> dict[str, Any]:
        population = share_of_budget(evaluations, 10, 50, least=4)
        return {
            "population": population,
            "select": max(2, population // 5),
            "mutations": population // 2,
            "crossovers": population // 2,
        }

    @classmethod
    def initial_evaluations(cls, settings: Any) -> int:
        return int(settings.population)

    # -- generations --------------------------------------------------------------------------

    def next_batch(self) -> Choices:
        """Return the next generation [population, d], which counts as seen."""
        parents = self._elite()
        found = self.space.to_array([])
        if len(parents):
            s = self.settings
            mutants = self._bred(s.mutations, lambda n: self._mutants(parents, n))
            crossed = self._bred(s.crossovers, lambda n: self._crossed(parents, n))
            found = np.concatenate([mutants, crossed])
        rest = self.seen.sample(self.rng, max(0, self.settings.population - len(found)))
        self.seen.add(rest)
        return np.concatenate([found, rest]) if len(found) or len(rest) else rest

    def _elite(self) -> Choices:
        """Return the best of all that was told, [at most select, d]; of equals the first."""
        alive = ((score, -i, row) for i, (row, score) in enumerate(self.scores.items()))
        best = heapq.nlargest(self.settings.select, (a for a in alive if a[0] > -math.inf))
        return np.array([row for _, _, row in best], dtype=np.int64).reshape(
            len(best), len(self.space.decisions)
        )

    def _bred(self, n: int, make: Callable[[int], Choices]) -> Choices:
        """Make candidates until n are valid and new; return these [at most n, d]."""
        found = self.space.to_array([])
        for _ in range(_TRIES):
            if len(found) >= n:
                break
            rows = make(n)
            rows[~self.space.active(rows)] = 0
            rows = self.seen.new(rows[self.space.feasible(rows)])[: n - len(found)]
            self.seen.add(rows)
            found = np.concatenate([found, rows])
        return found

    def _mutants(self, parents: Choices, n: int) -> Choices:
        rows: Choices = parents[self.rng.integers(0, len(parents), n)]
        anew = self.rng.random(rows.shape) < self.settings.chance
        drawn = (self.rng.random(rows.shape) * self.space.cardinalities).astype(np.int64)
        return np.where(anew, drawn, rows)

    def _crossed(self, parents: Choices, n: int) -> Choices:
        mothers, fathers = (parents[self.rng.integers(0, len(parents), n)] for _ in range(2))
        return np.where(self.rng.random(mothers.shape) < 0.5, mothers, fathers)
