"""Any sampler of Optuna as a strategy: `optuna:tpe`, `optuna:nsgaii`, `optuna:gp` ...

Source: Akiba et al., Optuna, KDD 2019, arXiv:1907.10902.
"""

from __future__ import annotations

import inspect
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from nas import registry
from nas.errors import NasError, unknown
from nas.objective import Measurement, Objective
from nas.settings import setting
from nas.space import Architecture, SearchSpace
from nas.strategies.strategy import Strategy

__all__ = ["OptunaSettings", "OptunaStrategy"]

_NEEDS_NUMBERS = ("cmaes",)
_ONE_SEED = ("qmc", "grid")  # what they draw is one sequence
_LEFT_OUT = ("Base", "BaseGA", "PartialFixed")
_MAX_TRIES = 20


def samplers() -> dict[str, type[optuna.samplers.BaseSampler]]:
    """Return Optuna's samplers by name: its class in lower case, without "Sampler"."""
    classes = {
        name.removesuffix("Sampler"): getattr(optuna.samplers, name)
        for name in dir(optuna.samplers)
        if name.endswith("Sampler")
    }
    return {name.lower(): cls for name, cls in classes.items() if name not in _LEFT_OUT}


@dataclass
class OptunaSettings:
    """Which sampler, and what it is made with."""

    sampler: str = setting("tpe", "bruteforce, cmaes, gp, grid, nsgaii, nsgaiii, qmc, random, tpe")
    options: str = setting("{}", 'JSON of its arguments, such as {"n_startup_trials": 20}')

    def __post_init__(self) -> None:
        if self.sampler not in samplers():
            raise unknown("strategy.sampler", self.sampler, samplers())
        try:
            given = json.loads(self.options)
        except ValueError as error:
            raise NasError(f"strategy.options={self.options!r}: not JSON ({error})") from error
        allowed = inspect.signature(samplers()[self.sampler]).parameters
        for name in given:
            if name not in allowed or name == "seed":
                raise unknown(f"argument of sampler {self.sampler}", name, {*allowed} - {"seed"})


@registry.register(
    "strategies",
    "optuna",
    "any sampler of Optuna: optuna:tpe, optuna:nsgaii, optuna:gp ...",
    "Akiba et al., Optuna, KDD 2019, arXiv:1907.10902",
)
class OptunaStrategy(Strategy):
    """A study in memory; decisions are its parameters, conditional ones where they are active.

    Every proposal comes from a fresh sampler, seeded by the trial's number: all that changes is in
    the study, so that a state can be saved. Ordered decisions are integers to Optuna, others
    categories; to CMA-ES, which knows no categories, all are integers.
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
        self._seed = seed
        if self.settings.sampler == "cmaes" and len(objective.goals) > 1:
            raise NasError("optuna:cmaes searches for one metric; take optuna:nsgaii for several")
        self._sampler(0)  # refuses options that do not go together
        self._study = self._new_study()
        self._pending: dict[Architecture, list[int]] = {}

    def _new_study(self) -> optuna.Study:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        return optuna.create_study(directions=["maximize"] * len(self.objective.goals))

    def _sampler(self, number: int) -> optuna.samplers.BaseSampler:
        """Make the sampler of one trial."""
        name = self.settings.sampler
        make: Any = samplers()[name]
        options = json.loads(self.settings.options)
        if name == "tpe":  # what is being evaluated counts as bad, so that it is not asked again
            options = {"constant_liar": True} | options
        if name == "grid":
            options["search_space"] = {
                decision.name: list(range(len(decision.options)))
                for decision in self.space.decisions
            }
        seed = self._seed if name in _ONE_SEED else self._seed + 7919 * number
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is experimental in Optuna
            if "seed" in inspect.signature(make).parameters:
                options["seed"] = seed % 2**32
            try:
                sampler: optuna.samplers.BaseSampler = make(**options)
            except ImportError as error:
                raise NasError(f"sampler {name} needs a missing package: {error}") from error
            except (TypeError, ValueError) as error:
                raise NasError(f"sampler {name}, {self.settings.options}: {error}") from error
        return sampler

    # -- asking -------------------------------------------------------------------------------

    def ask(self, n: int) -> list[Architecture]:
        return [self._ask_one() for _ in range(n)]

    def _ask_one(self) -> Architecture:
        for _ in range(_MAX_TRIES):
            trial = self._new_trial()
            architecture = self._suggested(trial)
            if self.space.check(architecture) is None:
                return self._started(architecture, trial.number)
            self._study.tell(trial.number, state=TrialState.FAIL)
        [architecture] = self.space.sample(self.rng, 1)  # hardly anything is valid
        return self._started(architecture, self._add(architecture, TrialState.RUNNING, None))

    def _new_trial(self) -> optuna.Trial:
        self._study.sampler = self._sampler(len(self._study.get_trials(deepcopy=False)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self._study.ask()

    def _suggested(self, trial: optuna.Trial) -> Architecture:
        """Let the sampler decide, decision by decision, as far as each is active."""
        row = np.zeros((1, len(self.space.decisions)), dtype=np.int64)
        for column in range(len(self.space.decisions)):
            if self.space.active(row)[0, column]:
                row[0, column] = self._suggest(trial, column)
        return self.space.from_array(row)[0]

    def _suggest(self, trial: optuna.Trial, column: int) -> int:
        decision = self.space.decisions[column]
        last = len(decision.options) - 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if self._is_number(column):
                return trial.suggest_int(decision.name, 0, last)
            return trial.suggest_categorical(decision.name, range(last + 1))

    def _is_number(self, column: int) -> bool:
        return self.settings.sampler in _NEEDS_NUMBERS or self.space.decisions[column].ordered

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
                self._add(architecture, state, values if good else None)
                continue
            number = waiting.pop(0)
            if not waiting:
                del self._pending[architecture]
            self._study.sampler = self._sampler(number)  # it has a say after a trial, too
            self._study.tell(number, values if good else None, state)

    def _add(self, architecture: Architecture, state: TrialState, values: Any) -> int:
        """Add a trial that the sampler has not proposed; return its number."""
        active = self.space.active(self.space.to_array([architecture]))[0]
        columns = np.flatnonzero(active).tolist()
        names = [self.space.decisions[column].name for column in columns]
        self._study.add_trial(
            optuna.trial.create_trial(
                state=state,
                values=values,
                params={n: architecture.choices[c] for n, c in zip(names, columns, strict=True)},
                distributions={
                    n: self._distribution(c) for n, c in zip(names, columns, strict=True)
                },
            )
        )
        return len(self._study.get_trials(deepcopy=False)) - 1

    def _distribution(self, column: int) -> BaseDistribution:
        last = len(self.space.decisions[column].options) - 1
        if self._is_number(column):
            return IntDistribution(0, last)
        return CategoricalDistribution(tuple(range(last + 1)))

    # -- state --------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        study = self._study
        storage, identity = study._storage, study._study_id
        return super().state_dict() | {
            "seed": self._seed,
            "trials": json.dumps([_trial_to_json(t) for t in study.get_trials(deepcopy=False)]),
            "study": json.dumps(storage.get_study_system_attrs(identity)),
            "pending": [[list(a.choices), numbers] for a, numbers in self._pending.items()],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._seed = int(state["seed"])
        self._study = self._new_study()
        storage, identity = self._study._storage, self._study._study_id
        for name, value in json.loads(state["study"]).items():
            storage.set_study_system_attr(identity, name, value)
        for trial in json.loads(state["trials"]):
            self._study.add_trial(self._trial_from_json(trial))
        self._pending = {
            Architecture(self.space.name, tuple(choices)): list(numbers)
            for choices, numbers in state["pending"]
        }

    def _trial_from_json(self, data: dict[str, Any]) -> FrozenTrial:
        columns = {decision.name: c for c, decision in enumerate(self.space.decisions)}
        return optuna.trial.create_trial(
            state=TrialState[data["state"]],
            values=data["values"],
            params=data["params"],
            distributions={name: self._distribution(columns[name]) for name in data["params"]},
            system_attrs=data["system"],
        )


def _trial_to_json(trial: FrozenTrial) -> dict[str, Any]:
    return {
        "state": trial.state.name,
        "values": trial.values,
        "params": trial.params,
        "system": trial.system_attrs,
    }
