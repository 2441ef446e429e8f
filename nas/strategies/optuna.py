"""Any sampler of Optuna as a strategy: `optuna:tpe`, `optuna:nsgaii`, `optuna:gp` ...

Source: Akiba et al., Optuna, KDD 2019, arXiv:1907.10902.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from optuna.trial import TrialState

from nas import registry
from nas.errors import NasError, unknown
from nas.objective import Measurement, Objective
from nas.settings import setting
from nas.space import Architecture, SearchSpace
from nas.strategies.optuna_sampler import (
    ENUMERATING,
    TrialSampler,
    check_options,
    samplers,
    starts_with,
)
from nas.strategies.optuna_study import Trials
from nas.strategies.strategy import Strategy

__all__ = ["OptunaSettings", "OptunaStrategy"]

_NEEDS_NUMBERS = ("cmaes",)
_MOST_OF_A_GRID = 20_000  # combinations; it is gone through once a trial
_MAX_TRIES = 20


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
        self._pending: dict[Architecture, list[int]] = {}
        self._listed = False  # whether the sampler says that there is nothing more

    def _require_a_small_grid(self) -> None:
        combinations = prod(self.space.cardinalities)
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
        for _ in range(_MAX_TRIES):
            if self._listed:
                return self.space.sample(self.rng, 1)[0]
            number, architecture = self._trials.ask(self._sampler.of(self._trials.count))
            if self.space.check(architecture) is None:
                return self._started(architecture, number)
            self._end(number, TrialState.FAIL)
        [architecture] = self.space.sample(self.rng, 1)  # hardly anything is valid
        return self._started(architecture, self._trials.add(architecture, TrialState.RUNNING))

    def _started(self, architecture: Architecture, number: int) -> Architecture:
        self._pending.setdefault(architecture, []).append(number)
        return architecture

    # -- being told ---------------------------------------------------------------------------

    def tell(self, results: Sequence[tuple[Architecture, Measurement]]) -> None:
        for architecture, measurement in results:
            values = list(self.objective.scores(measurement))
            good = all(np.isfinite(values))
            state = TrialState.COMPLETE if good else TrialState.FAIL
            waiting = self._pending.get(architecture)
            if not waiting:
                self._trials.add(architecture, state, values if good else None)
                continue
            number = waiting.pop(0)
            if not waiting:
                del self._pending[architecture]
            self._end(number, state, values if good else None)

    def _end(self, number: int, state: TrialState, values: Sequence[float] | None = None) -> None:
        self._trials.study.sampler = self._sampler.of(number)  # it has a say after a trial, too
        try:
            self._trials.tell(number, state, values)
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
