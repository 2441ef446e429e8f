"""LINAS: NSGA-II on a predictor, iterated (lightweight iterative NAS).

Measure a batch, learn a predictor of each objective, let NSGA-II search on predictions, measure
the best that it found, and so on.

Source: Cummings et al., A Hardware-Aware Framework for Accelerating Neural Architecture Search
Across Modalities (DyNAS-T), arXiv:2205.10358, sec. 3.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas import registry
from nas.errors import unknown
from nas.objective import BROKEN, Measurement, Objective
from nas.predictors import PREDICTORS, Predictor, make_predictor
from nas.settings import require_ranges, setting
from nas.space import Architecture, Choices, SearchSpace
from nas.strategies.budgets import share_of_budget, under_limits
from nas.strategies.nsga_ii import NSGA2Settings, breed, survivors
from nas.strategies.seen import Seen
from nas.strategies.strategy import Strategy

__all__ = ["LINAS", "LINASSettings"]

Floats = NDArray[np.float64]
Row = tuple[int, ...]
Facts = tuple[tuple[float, ...] | None, tuple[float, ...]]
"""A value an objective, larger for the better (None: not measured), and an excess a limit."""
_LEAST = 5  # architectures that a predictor is fitted to


@dataclass
class LINASSettings:
    """Settings of LINAS."""

    batch: int = setting(50, "architectures measured between two fits; the first are random")
    population: int = setting(50, "members of the search on predictions")
    predictions: int = setting(5000, "made in each search on predictions")
    crossover: float = setting(0.9, "of the search on predictions, chance of two parents")
    mutations: float = setting(1.0, "of the search on predictions, decisions changed on average")
    predictor: str = setting("ridge-or-svr", f"of an objective: {', '.join(sorted(PREDICTORS))}")

    def __post_init__(self) -> None:
        if self.predictor not in PREDICTORS:
            raise unknown("strategy.predictor", self.predictor, PREDICTORS)
        ranges = {
            "batch": (self.batch >= _LEAST, f"at least {_LEAST}"),
            "predictions": (self.predictions >= 1, "at least 1"),
        }
        require_ranges(self, "strategy", ranges)
        self.genetic()  # checks the others

    def genetic(self) -> NSGA2Settings:
        """Return the settings of the search on predictions."""
        return NSGA2Settings(self.population, self.crossover, self.mutations)


@registry.register(
    "strategies",
    "linas",
    "NSGA-II on a predictor, iterated: batches that are measured, learned and searched (DyNAS-T)",
    "Cummings et al., A Hardware-Aware Framework for Accelerating Neural Architecture Search "
    "Across Modalities, arXiv:2205.10358",
    differs="NSGA-II has uniform crossover and mutation of decisions, where the paper has "
    "operators for real numbers; the batch is smaller than 50 with fewer than 150 "
    "evaluations (`batch=50`).",
)
class LINAS(Strategy):
    """NSGA-II proposes a batch by its predictions, whose results the predictors are refitted to.

    Heeds any number of objectives. Failures count as the worst of every objective. Predictors are
    any of `nas.predictors`; the paper's are ridge and support-vector regression. By how much each
    limit is broken, or kept, is predicted like an objective where some result broke it; what is
    predicted to break one loses by constrained domination.
    """

    Settings = LINASSettings
    several_objectives = True
    settings: LINASSettings

    def __init__(
        self,
        space: SearchSpace,
        objective: Objective,
        seed: int = 0,
        settings: LINASSettings | None = None,
    ) -> None:
        super().__init__(space, objective, seed, settings or LINASSettings())
        self.seen = Seen(space)
        self.scores: dict[Row, tuple[float, ...]] = {}  # of what was told
        self.facts: dict[Row, Facts] = {}  # of what was told and did not fail, under limits
        self.queue: list[Row] = []  # the rest of the batch

    # -- the budget ---------------------------------------------------------------------------

    @classmethod
    def defaults(cls, evaluations: int) -> dict[str, Any]:
        return {"batch": share_of_budget(evaluations, 3, 50, least=_LEAST)}

    @classmethod
    def initial_evaluations(cls, settings: Any) -> int:
        return int(settings.batch)

    # -- ask ----------------------------------------------------------------------------------

    def ask(self, n: int) -> list[Architecture]:
        rows = [self._propose() for _ in range(n)]
        return [Architecture(self.space.name, choices) for choices in rows]

    def _propose(self) -> Row:
        if not self.queue:
            rows = self._searched() if self._learnable() else self.seen.sample(self.rng, 1)
            self.queue = list(map(tuple, rows.tolist()))
        choices = self.queue.pop(0)
        self.seen.add(np.array([choices], dtype=np.int64))
        return choices

    def _learnable(self) -> bool:
        """Tell whether a batch was told, enough of which is measured."""
        measured = sum(math.isfinite(scores[0]) for scores in self.scores.values())
        return len(self.scores) >= self._batch() and measured >= _LEAST

    def _batch(self) -> int:
        """Return how many are measured between two fits; fewer where most break the limits."""
        most = self.settings.batch
        if not self.objective.limits:
            return most
        return under_limits(most, (scores[0] for scores in self.scores.values()), _LEAST)

    def _searched(self) -> Choices:
        """Return the next batch: what NSGA-II finds among all that was not seen."""
        s, batch = self.settings, self._batch()
        known, scores = np.array(list(self.scores), dtype=np.int64), self._known_scores()
        best = survivors(scores, s.population)
        kept = max(batch, s.population)
        begun = [self._bred(known[best], scores[best]), self.seen.sample(self.rng, kept)]
        rows = self.seen.new(np.concatenate(begun))
        if len(rows) < batch:  # hardly anything new is left: nothing to choose between
            return rows if len(rows) else self.seen.sample(self.rng, 1)
        predict = self._predictor()
        found = predict(rows)
        for _ in range(max(0, s.predictions - len(rows)) // s.population):
            parents = survivors(found, s.population)
            children = self._bred(rows[parents], found[parents])
            rows = self.seen.new(np.concatenate([rows, children]))
            found = np.concatenate([found, predict(rows[len(found) :])])
            best = survivors(found, kept)
            rows, found = rows[best], found[best]
        return rows[survivors(found, batch)]

    def _bred(self, parents: Choices, scores: Floats) -> Choices:
        s = self.settings
        return breed(self.space, parents, scores, s.population, s.genetic(), self.rng)

    def _known_scores(self) -> Floats:
        """Return all scores [n, m], failures replaced by the worst of each objective."""
        scores = np.array(list(self.scores.values()))
        failed = ~np.isfinite(scores[:, 0])
        scores[failed] = scores[~failed].min(0)
        return scores

    def _predictor(self) -> Callable[[Choices], Floats]:
        """Learn all objectives; return a function from a population [n, d] to scores [n, m]."""
        goals = self._fitted(*self._known_goals())
        limits = self._fitted(*self._known_excesses())

        def predict(population: Choices) -> Floats:
            if not len(population):
                return np.empty((0, len(self.objective.goals)))
            some = self.space.from_array(population)
            scores = np.stack([goal.predict(some)[0] for goal in goals], axis=1)
            if limits:
                excesses = np.stack([limit.predict(some)[0] for limit in limits], axis=1)
                violations = np.maximum(excesses, 0.0).sum(1)
                scores[violations > 0] = BROKEN * (1 + violations[violations > 0, None])
            return scores

        return predict

    def _fitted(self, choices: Sequence[Row], columns: Floats) -> list[Predictor]:
        """Fit a predictor to each column of numbers [n, m], where enough of them are no NaN."""
        found = []
        for column in columns.T:
            there = np.flatnonzero(np.isfinite(column))
            if len(there) >= min(_LEAST, len(column)):
                some = np.array([choices[at] for at in there.tolist()], dtype=np.int64)
                made = make_predictor(self.settings.predictor, self.space)
                found.append(made.fit(self.space.from_array(some), column[there]))
        return found

    def _known_goals(self) -> tuple[list[Row], Floats]:
        """Return what was measured of the objectives, whether or not limits are kept."""
        if not self.objective.limits:
            return list(self.scores), self._known_scores()
        rows = {row: goals for row, (goals, _) in self.facts.items() if goals is not None}
        if len(rows) < _LEAST:  # of hardly any: only limits tell architectures apart
            return list(self.scores), np.zeros((len(self.scores), len(self.objective.goals)))
        worst = tuple(np.array(list(rows.values())).min(0).tolist())
        rows |= {row: worst for row, scores in self.scores.items() if scores[0] == -math.inf}
        return list(rows), np.array(list(rows.values()))

    def _known_excesses(self) -> tuple[list[Row], Floats]:
        """Return by how much those limits are broken or kept that something broke, [n, limits]."""
        excesses = np.array([excesses for _, excesses in self.facts.values()])
        if not len(excesses):
            return [], np.empty((0, 0))
        return list(self.facts), excesses[:, (excesses > 0).any(0)]

    # -- tell ---------------------------------------------------------------------------------

    def tell(self, results: Sequence[tuple[Architecture, Measurement]]) -> None:
        for architecture, measurement in results:
            self.seen.add(self.space.to_array([architecture]))
            row = architecture.choices
            self.scores[row] = tuple(map(float, self.objective.scores(measurement)))
            if self.objective.limits and measurement.ok:
                self.facts[row] = self._facts(measurement)
            else:
                self.facts.pop(row, None)

    def _facts(self, measurement: Measurement) -> Facts:
        goals = self.objective.goals
        measured = all(goal.metric in measurement.metrics for goal in goals)
        values = tuple(goal.sign * goal.value(measurement) for goal in goals) if measured else None
        return values, self.objective.excesses(measurement)

    # -- state --------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "seen": self.seen.state_dict(),
            "told": [list(choices) for choices in self.scores],
            "scores": [list(scores) for scores in self.scores.values()],
            "queue": [list(choices) for choices in self.queue],
            "facts": [
                [list(row), goals and list(goals), list(excesses)]
                for row, (goals, excesses) in self.facts.items()
            ],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.seen.load_state_dict(state["seen"])
        scores = map(tuple, state["scores"])
        self.scores = dict(zip(map(tuple, state["told"]), scores, strict=True))
        self.queue = [tuple(choices) for choices in state["queue"]]
        self.facts = {
            tuple(row): (goals and tuple(goals), tuple(excesses))
            for row, goals, excesses in state.get("facts", [])
        }
        if "facts" not in state and self.objective.limits:  # of before: only what keeps the limits
            kept = (0.0,) * len(self.objective.limits)
            values = {row: goals for row, goals in self.scores.items() if math.isfinite(goals[0])}
            self.facts = {row: (goals, kept) for row, goals in values.items()}
