"""Any sampler of Optuna as a strategy: `optuna:tpe`, `optuna:nsgaii`, `optuna:gp` ...

Source: Akiba et al., Optuna, KDD 2019, arXiv:1907.10902.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.trial import TrialState

from nas import registry
from nas.errors import NasError, unknown
from nas.objective import BROKEN, Measurement, Objective
from nas.settings import setting
from nas.space import Architecture, SearchSpace
from nas.strategies.optuna_sampler import (
    ENUMERATING,
    TrialSampler,
    check_options,
    samplers,
    starts_with,
)
from nas.strategies.optuna_study import Outcome, Trials
from nas.strategies.strategy import Strategy

__all__ = ["OptunaSettings", "OptunaStrategy"]

_NEEDS_NUMBERS = ("cmaes",)
_MOST_OF_A_GRID = 20_000  # combinations; it is gone through once a trial
_MOST_DRAWS = 3  # of a proposal, before the last is made valid
_MOST_STEPS = 20  # of what lists a space: what is not valid is done with
_NEAR, _FAR = 0.01, 1e6  # parts of a bound: less is kept for a model, more too much for one


def _clear(excess: float) -> float:
    """Return how much a limit is broken, as a finite number that no model takes for 0.

    What was not measured, as another limit was broken, counts as just kept.
    """
    if math.isnan(excess):
        return 0.0
    return excess if excess <= 0 else min(max(excess, _NEAR), _FAR)


@dataclass
class OptunaSettings:
    """Which sampler, and what it is made with."""

    sampler: str = setting("tpe", "bruteforce, cmaes, gp, grid, nsgaii, nsgaiii, qmc, random, tpe")
    options: str = setting("{}", 'JSON of its arguments, such as {"n_startup_trials": 20}')

    def __post_init__(self) -> None:
        if self.sampler not in samplers():
            raise unknown("strategy.sampler", self.sampler, samplers())
        check_options(self.sampler, self.arguments())

    def arguments(self) -> dict[str, Any]:
        """Return the options; raises `NasError` if they are no JSON object."""
        try:
            given = json.loads(self.options)
        except ValueError as error:
            raise NasError(f"strategy.options={self.options!r}: not JSON ({error})") from error
        if not isinstance(given, dict):
            raise NasError(f'strategy.options={self.options!r}: expected {{"NAME": VALUE, ...}}')
        return given


@registry.register(
    "strategies",
    "optuna",
    "any sampler of Optuna: optuna:tpe, optuna:nsgaii, optuna:gp ...",
    "Akiba et al., Optuna, KDD 2019, arXiv:1907.10902",
    differs="Samplers are Optuna's own, over categorical parameters; an architecture is evaluated "
    "once and pruners are not used.",
)
class OptunaStrategy(Strategy):
    """A study in memory; decisions are its parameters, conditional ones where they are active.

    All that changes is in the study, so that a state can be saved (`TrialSampler`). Ordered
    decisions are integers to Optuna, others categories; to CMA-ES, which knows no categories, all
    are integers. When a sampler has listed all there is, proposals are random.
    """

    Settings = OptunaSettings
    several_objectives = True
    argument = "sampler"
    settings: OptunaSettings

    def __init__(
        self,
        space: SearchSpace,
        objective: Objective,
        seed: int = 0,
        settings: OptunaSettings | None = None,
    ) -> None:
        super().__init__(space, objective, seed, settings or OptunaSettings())
        name = self.settings.sampler
        if name == "cmaes" and len(objective.goals) > 1:
            raise NasError("optuna:cmaes searches for one metric; take optuna:nsgaii for several")
        self._require_a_small_grid()
        self._seed = seed
        self._sampler = self._new_sampler()  # refuses options that do not go together
        self._trials = Trials(
            space, len(objective.goals), len(objective.limits), name in _NEEDS_NUMBERS
        )
        self._draws = _MOST_STEPS if name in ENUMERATING else _MOST_DRAWS
        self._pending: dict[Architecture, list[int]] = {}
        self._listed = False  # whether the sampler says that there is nothing more

    def _require_a_small_grid(self) -> None:
        combinations = math.prod(self.space.cardinalities)
        if self.settings.sampler == "grid" and combinations > _MOST_OF_A_GRID:
            raise NasError(
                f"optuna:grid lists every combination of options, and space '{self.space.name}' "
                f"has {combinations:.3g}: it takes at most {_MOST_OF_A_GRID:,}; take optuna:random"
            )

    def _new_sampler(self) -> TrialSampler:
        grid = {decision.name: range(len(decision.options)) for decision in self.space.decisions}
        limited = bool(self.objective.limits)
        return TrialSampler(self.settings.sampler, self.settings.options, self._seed, grid, limited)

    @classmethod
    def initial_evaluations(cls, settings: Any) -> int:
        return starts_with(settings.sampler, settings.arguments())

    # -- asking -------------------------------------------------------------------------------

    def ask(self, n: int) -> list[Architecture]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return [self._ask_one() for _ in range(n)]

    def _ask_one(self) -> Architecture:
        for _ in range(self._draws):
            if self._listed:
                return self.space.sample(self.rng, 1)[0]
            number, architecture = self._trials.ask(self._sampler.of(self._trials.count))
            if self.space.check(architecture) is None:
                return self._started(architecture, number)
            self._end(number, Outcome(TrialState.FAIL))
        return self._repaired(architecture, number)

    def _repaired(self, architecture: Architecture, number: int) -> Architecture:
        """Start a trial of what is valid near a proposal, as if the sampler had proposed it."""
        rows = self.space.repaired(self.space.to_array([architecture]), self.rng)
        [near] = self.space.from_array(rows)
        kept = self._trials.attributes(number)  # generations, for one
        return self._started(near, self._trials.add(near, Outcome(TrialState.RUNNING), kept))

    def _started(self, architecture: Architecture, number: int) -> Architecture:
        self._pending.setdefault(architecture, []).append(number)
        return architecture

    # -- being told ---------------------------------------------------------------------------

    def tell(self, results: Sequence[tuple[Architecture, Measurement]]) -> None:
        for architecture, measurement in results:
            outcome = self._outcome(measurement)
            waiting = self._pending.get(architecture)
            if not waiting:
                self._trials.add(architecture, outcome)
                continue
            number = waiting.pop(0)
            if not waiting:
                del self._pending[architecture]
            self._end(number, outcome)

    def _outcome(self, measurement: Measurement) -> Outcome:
        """Say what a trial has come to.

        What breaks a limit keeps its true values beside its excesses, where the sampler heeds
        them; others take the penalised score for a value.
        """
        if not measurement.ok:
            return Outcome(TrialState.FAIL)
        if not self.objective.limits or not self._sampler.heeds_limits:
            return self._penalised(measurement)
        found = self.objective.excesses(measurement)
        excesses = tuple(map(_clear, found))
        goals, metrics = self.objective.goals, measurement.metrics
        if max(excesses) > 0 and any(goal.metric not in metrics for goal in goals):
            return Outcome(TrialState.PRUNED, excesses=excesses)
        values = tuple(goal.sign * goal.value(measurement) for goal in goals)
        if np.isfinite(values).all():
            return Outcome(TrialState.COMPLETE, values, excesses)
        return Outcome(TrialState.FAIL)

    def _penalised(self, measurement: Measurement) -> Outcome:
        values = self.objective.scores(measurement)
        if self.settings.sampler == "gp" and values[0] <= BROKEN:
            return Outcome(TrialState.FAIL)  # no model could fit that
        good = np.isfinite(values).all()
        return Outcome(TrialState.COMPLETE, values) if good else Outcome(TrialState.FAIL)

    def _end(self, number: int, outcome: Outcome) -> None:
        self._trials.study.sampler = self._sampler.of(number)  # it has a say after a trial, too
        try:
            self._trials.tell(number, outcome)
        except RuntimeError:  # `Study.stop`, which Optuna refuses outside `optimize`
            if self.settings.sampler not in ENUMERATING:
                raise
            self._listed = True

    # -- state --------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "seed": self._seed,
            **self._trials.state_dict(),
            "pending": [[list(a.choices), numbers] for a, numbers in self._pending.items()],
            "listed": self._listed,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._seed = int(state["seed"])
        self._sampler = self._new_sampler()
        self._trials.load_state_dict(state)
        self._pending = {self.read(choices): list(n) for choices, n in state["pending"]}
        self._listed = bool(state.get("listed", False))
