"""Strategies of ours in an Optuna user's own study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import optuna
import pytest

from nas.errors import NasError
from nas.integrations.optuna_sampler import as_optuna_sampler, suggest
from nas.objective import Measurement, Objective
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import Architecture, Decision
from nas.strategies.random import RandomSearch

SPACE = NASBench201()


class Conditional(NASBench201):
    """The last decision exists under one option of the first."""

    def __init__(self) -> None:
        super().__init__()
        self.decisions = (
            Decision("router", ("none", "top")),
            Decision("k", (1, 2, 4), when=(("router", ("top",)),)),
        )


class Remembering(RandomSearch):
    """Remembers what it proposed and what it is told."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.asked: list[Architecture] = []
        self.told: list[tuple[Architecture, Measurement]] = []

    def ask(self, n: int) -> list[Architecture]:
        self.asked += super().ask(n)
        return self.asked[-n:]

    def tell(self, results: Sequence[tuple[Architecture, Measurement]]) -> None:
        self.told += results


def study_of(strategy: Any, **options: Any) -> optuna.Study:
    options = options or {"direction": "maximize"}
    return optuna.create_study(sampler=as_optuna_sampler(strategy), **options)


@pytest.mark.parametrize("space", [SPACE, Conditional()])
def test_trials_are_what_the_strategy_proposes(space: Any) -> None:
    strategy = Remembering(space, Objective())
    seen = []

    def train(trial: optuna.Trial) -> float:
        seen.append(suggest(trial, space))
        return sum(seen[-1].choices) / 100

    study_of(strategy).optimize(train, n_trials=8)
    assert seen == strategy.asked
    assert [a for a, _ in strategy.told] == seen
    assert [m.metrics["accuracy"] for _, m in strategy.told] == [sum(a.choices) / 100 for a in seen]


def test_failures_are_told() -> None:
    strategy = Remembering(SPACE, Objective())

    def train(trial: optuna.Trial) -> float:
        suggest(trial, SPACE)
        if trial.number == 0:
            raise MemoryError
        raise optuna.TrialPruned

    study_of(strategy).optimize(train, n_trials=2, catch=(MemoryError,))
    errors = [m.error for _, m in strategy.told]
    assert errors == ["the trial ended as fail", "the trial ended as pruned"]


def test_trials_that_were_there_are_told_once() -> None:
    study = optuna.create_study(direction="maximize")
    study.optimize(lambda trial: sum(suggest(trial, SPACE).choices), n_trials=3)
    strategy = Remembering(SPACE, Objective())
    study.sampler = as_optuna_sampler(strategy)
    study.optimize(lambda trial: sum(suggest(trial, SPACE).choices), n_trials=2)
    assert len(strategy.told) == 5
    assert [m.metrics["accuracy"] for _, m in strategy.told] == [t.value for t in study.trials]


def test_other_parameters_are_left_to_optuna() -> None:
    def train(trial: optuna.Trial) -> float:
        suggest(trial, SPACE)
        return trial.suggest_float("learning_rate", 0.1, 1.0, log=True)

    study = study_of(RandomSearch(SPACE, Objective()))
    study.optimize(train, n_trials=4)
    rates = [trial.params["learning_rate"] for trial in study.trials]
    assert len(set(rates)) == 4
    assert all(0.1 <= rate <= 1.0 for rate in rates)


def test_directions_have_to_agree() -> None:
    study = study_of(RandomSearch(SPACE, Objective("-loss")), direction="maximize")
    with pytest.raises(NasError, match="needs a study with directions"):
        suggest(study.ask(), SPACE)


def test_several_metrics() -> None:
    strategy = Remembering(SPACE, Objective("accuracy,-latency"))
    study = study_of(strategy, directions=["maximize", "minimize"])
    study.optimize(lambda trial: (len(suggest(trial, SPACE).choices), 2.0), n_trials=1)
    assert strategy.told[0][1].metrics == {"accuracy": 6.0, "latency": 2.0}


def test_a_sampler_that_does_not_know_the_space_is_told_what_is_not_valid() -> None:
    class Constrained(NASBench201):
        def constraint(self, architecture: Architecture) -> str | None:
            return "odd" if architecture.choices[0] % 2 else None

    space = Constrained()
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(lambda trial: sum(suggest(trial, space).choices), n_trials=20)
    states = {trial.state.name for trial in study.trials}
    assert states == {"COMPLETE", "PRUNED"}


def test_every_trial_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    study = optuna.create_study(direction="maximize")
    study.optimize(lambda trial: trial.suggest_float(trial.number * "x" + "y", 0, 1), n_trials=3)
    study.optimize(lambda trial: sum(suggest(trial, SPACE).choices), n_trials=4)
    strategy = Remembering(SPACE, Objective())
    study.sampler = as_optuna_sampler(strategy)
    read = []
    real = study.sampler._architecture
    monkeypatch.setattr(study.sampler, "_architecture", lambda p: read.append(p) or real(p))
    study.optimize(lambda trial: sum(suggest(trial, SPACE).choices), n_trials=5)
    assert len(read) == len(study.trials) == 12
