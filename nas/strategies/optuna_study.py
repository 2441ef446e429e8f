"""A study in memory whose parameters are the decisions of a space, as plain values and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.trial import TrialState

from nas.space import Architecture, SearchSpace
from nas.strategies.optuna_sampler import EXCESSES

__all__ = ["Outcome", "Trials"]


@dataclass(frozen=True)
class Outcome:
    """How a trial has ended, or that it runs.

    Args:
        state: Complete, failed, pruned or running.
        values: Of a complete one, larger for the better.
        excesses: By how much limits are broken (above 0); none where there are no limits.
    """

    state: TrialState
    values: tuple[float, ...] | None = None
    excesses: tuple[float, ...] | None = None


class Trials:
    """The trials of one search.

    Ordered decisions are integers to Optuna, others categories.

    Args:
        space: Whose decisions are the parameters.
        goals: How many values a trial has, all to be maximised.
        limits: How many limits the trials have excesses over.
        numbers: Whether all parameters are integers.
    """

    def __init__(self, space: SearchSpace, goals: int, limits: int, numbers: bool) -> None:
        self.space, self.goals, self.limits = space, goals, limits
        self.distributions: dict[str, BaseDistribution] = {}
        for decision in space.decisions:
            n = len(decision.options)
            ordered = numbers or decision.ordered
            self.distributions[decision.name] = (
                IntDistribution(0, n - 1) if ordered else CategoricalDistribution(tuple(range(n)))
            )
        self.conditional = any(decision.when for decision in space.decisions)
        self._start()

    def _start(self) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.study = optuna.create_study(directions=["maximize"] * self.goals)
        self.count = 0

    # -- asking -------------------------------------------------------------------------------

    def ask(self, sampler: optuna.samplers.BaseSampler) -> tuple[int, Architecture]:
        """Let a sampler decide, decision by decision, as far as each is active.

        Returns:
            The trial's number, and an architecture that need not be valid.
        """
        self.study.sampler = sampler
        self.count += 1
        if not self.conditional:
            trial = self.study.ask(self.distributions)
            chosen = trial.params
            choices = tuple(int(chosen[name]) for name in self.distributions)
            return trial.number, Architecture(self.space.name, choices)
        trial = self.study.ask()
        row = np.zeros((1, len(self.space.decisions)), dtype=np.int64)
        for column, decision in enumerate(self.space.decisions):
            if not decision.when or self.space.active(row)[0, column]:
                row[0, column] = self._suggested(trial, decision.name)
        return trial.number, self.space.from_array(row)[0]

    def _suggested(self, trial: optuna.Trial, name: str) -> int:
        distribution = self.distributions[name]
        if isinstance(distribution, CategoricalDistribution):
            return int(trial.suggest_categorical(name, distribution.choices))  # type: ignore[arg-type]
        assert isinstance(distribution, IntDistribution)
        return trial.suggest_int(name, distribution.low, distribution.high)

    def add(
        self,
        architecture: Architecture,
        outcome: Outcome,
        attributes: Mapping[str, Any] | None = None,
    ) -> int:
        """Add a trial that no sampler has proposed; return its number.

        Args:
            architecture: What it is of.
            outcome: How it ended, or that it runs.
            attributes: What samplers keep of it.
        """
        active = self.space.active(self.space.to_array([architecture]))[0].tolist()
        chosen = zip(self.distributions, architecture.choices, active, strict=True)
        params = {name: choice for name, choice, on in chosen if on}
        kept = dict(attributes or {})
        if outcome.excesses is not None:
            kept[EXCESSES] = outcome.excesses
        self._add(outcome.state, outcome.values, params, kept)
        return self.count - 1

    def _add(
        self,
        state: TrialState,
        values: Sequence[float] | None,
        params: dict[str, Any],
        attributes: dict[str, Any],
    ) -> None:
        self.study.add_trial(
            optuna.trial.create_trial(
                state=state,
                values=values,
                params=params,
                distributions={name: self.distributions[name] for name in params},
                system_attrs=attributes,
            )
        )
        self.count += 1

    def attributes(self, number: int) -> dict[str, Any]:
        """Return what samplers keep of a trial."""
        return dict(self.study.get_trials(deepcopy=False)[number].system_attrs)

    # -- being told ---------------------------------------------------------------------------

    def tell(self, number: int, outcome: Outcome) -> None:
        """End a running trial.

        Raises:
            RuntimeError: From a sampler that has listed all there is; the trial has ended.
        """
        if outcome.excesses is not None:
            storage, identity = self.study._storage, self.study._study_id
            trial = storage.get_trial_id_from_study_id_trial_number(identity, number)
            storage.set_trial_system_attr(trial, EXCESSES, outcome.excesses)
        self.study.tell(number, outcome.values, outcome.state)

    # -- state --------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return all trials, as texts."""
        trials = [
            {
                "state": t.state.name,
                "values": t.values,
                "params": t.params,
                "system": t.system_attrs,
            }
            for t in self.study.get_trials(deepcopy=False)
        ]
        attributes = self.study._storage.get_study_system_attrs(self.study._study_id)
        return {"trials": json.dumps(trials), "study": json.dumps(attributes)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Make the study anew from what `state_dict` returned."""
        self._start()
        storage, identity = self.study._storage, self.study._study_id
        for name, value in json.loads(state["study"]).items():
            storage.set_study_system_attr(identity, name, value)
        for trial in json.loads(state["trials"]):
            done, system = TrialState[trial["state"]], trial["system"]
            if done == TrialState.COMPLETE and self.limits:
                # before excesses were kept, what broke a limit was a failure
                system.setdefault(EXCESSES, (0.0,) * self.limits)
            self._add(done, trial["values"], trial["params"], system)
