"""A strategy of ours as a sampler in an Optuna user's own study."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState

from nas.errors import NasError
from nas.objective import Measurement
from nas.space import Architecture, SearchSpace
from nas.strategies import Strategy

__all__ = ["StrategySampler", "as_optuna_sampler", "suggest"]


def as_optuna_sampler(strategy: Strategy) -> StrategySampler:
    """Return an Optuna sampler that proposes what a strategy proposes.

        strategy = BOWL(space, Objective("accuracy"))
        study = optuna.create_study(direction="maximize", sampler=as_optuna_sampler(strategy))
        study.optimize(lambda trial: train(suggest(trial, space)), n_trials=100)

    Parameters that are no decision of the space are drawn at random by Optuna.

    Args:
        strategy: Its objective has a metric a direction of the study, with the same directions.
    """
    return StrategySampler(strategy)


def suggest(trial: optuna.Trial, space: SearchSpace) -> Architecture:
    """Return the architecture that a trial shall evaluate: one categorical parameter a decision.

    Args:
        trial: Of any study; with another sampler conditional decisions are asked for as they
            become active.
        space: Whose decisions are asked for.

    Raises:
        optuna.TrialPruned: If the sampler, one that does not know the space, has proposed a
            combination that is not valid.
    """
    choices = [0] * len(space.decisions)
    for column, decision in enumerate(space.decisions):
        row = space.to_array([Architecture(space.name, tuple(choices))])
        if space.active(row)[0, column]:
            texts = [str(option) for option in decision.options]
            choices[column] = texts.index(trial.suggest_categorical(decision.name, texts))
    architecture = Architecture(space.name, tuple(choices))
    reason = space.check(architecture)
    if reason:
        raise optuna.TrialPruned(reason)
    return architecture


class StrategySampler(optuna.samplers.BaseSampler):
    """Asks a strategy for every trial, and tells it of every trial that has ended.

    Also of those that a study held before, or that other processes have added.

    Args:
        strategy: Whom to ask.
    """

    def __init__(self, strategy: Strategy) -> None:
        self.strategy = strategy
        self._told: set[int] = set()
        self._others = optuna.samplers.RandomSampler(seed=int(strategy.rng.integers(2**31)))

    @cached_property
    def _distributions(self) -> dict[str, BaseDistribution]:
        return {name: CategoricalDistribution(texts) for name, texts in self._options.items()}

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        del trial
        self._check(study)
        return dict(self._distributions)

    def _check(self, study: optuna.Study) -> None:
        goals = self.strategy.objective.goals
        ours = [goal.direction for goal in goals]
        theirs = [direction.name.lower() for direction in study.directions]
        if ours != theirs:
            raise NasError(
                f"the strategy's objective '{self.strategy.objective.text}' needs a study with "
                f"directions {ours}; it has {theirs}"
            )

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        del search_space
        for ended in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            if ended.number != trial.number:
                self._tell(ended, ended.state, ended.values)
        [architecture] = self.strategy.ask(1)
        options = self.strategy.space.options(architecture)
        return {name: str(option) for name, option in options.items()}

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        return self._others.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        del study
        self._tell(trial, state, values)

    def _tell(self, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Tell the strategy of a trial, once."""
        if trial.number in self._told:
            return
        self._told.add(trial.number)  # also of something else, which is then asked about once
        architecture = self._architecture(trial.params)
        if architecture is None:
            return
        if state == TrialState.COMPLETE and values is not None:
            goals = self.strategy.objective.goals
            metrics = {goal.metric: float(v) for goal, v in zip(goals, values, strict=True)}
            self.strategy.tell([(architecture, Measurement(metrics))])
        else:
            error = f"the trial ended as {state.name.lower()}"
            self.strategy.tell([(architecture, Measurement(error=error))])

    @cached_property
    def _options(self) -> dict[str, list[str]]:
        """The options of every decision, as Optuna's categories."""
        return {d.name: [str(o) for o in d.options] for d in self.strategy.space.decisions}

    def _architecture(self, params: dict[str, Any]) -> Architecture | None:
        """Return the architecture of a trial; None for one of something else."""
        space = self.strategy.space
        choices = []
        for name, texts in self._options.items():
            text = str(params.get(name, texts[0]))
            if text not in texts:
                return None
            choices.append(texts.index(text))
        architecture = Architecture(space.name, tuple(choices))
        return None if space.check(architecture) else architecture
