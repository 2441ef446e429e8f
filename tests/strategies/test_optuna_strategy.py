"""Optuna's samplers as strategies."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nas.errors import NasError
from nas.objective import Measurement, Objective
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import Architecture
from nas.strategies.optuna import OptunaSettings, OptunaStrategy, samplers

SPACE = NASBench201()
SAMPLERS = [*samplers()]


def make(
    sampler: str, objective: str = "accuracy", seed: int = 0, **options: Any
) -> OptunaStrategy:
    settings = OptunaSettings(sampler, json.dumps(options))
    return OptunaStrategy(SPACE, Objective(objective), seed, settings)


def judge(architecture: Architecture) -> Measurement:
    """The more 3x3 convolutions the better, and the costlier."""
    convolutions = sum(choice == 3 for choice in architecture.choices)
    return Measurement({"accuracy": convolutions / 6, "cost": float(sum(architecture.choices))})


def searched(strategy: OptunaStrategy, rounds: int, at_once: int = 1) -> list[Architecture]:
    found = []
    for _ in range(rounds):
        asked = strategy.ask(at_once)
        strategy.tell([(a, judge(a)) for a in asked])
        found += asked
    return found


def test_optunas_samplers_are_found() -> None:
    assert {"tpe", "cmaes", "nsgaii", "gp", "random", "qmc"} <= set(SAMPLERS)


@pytest.mark.parametrize("sampler", [s for s in SAMPLERS if s != "gp"])
def test_a_restored_state_goes_on_the_same(sampler: str) -> None:
    first = make(sampler, population_size=4) if sampler.startswith("nsga") else make(sampler)
    searched(first, 4, 3)
    pending = first.ask(2)
    second = make(sampler, population_size=4) if sampler.startswith("nsga") else make(sampler)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    for strategy in (first, second):
        strategy.tell([(a, judge(a)) for a in reversed(pending)])
    assert searched(first, 6) == searched(second, 6)


def test_tpe_learns() -> None:
    found = searched(make("tpe", n_startup_trials=10), 60)
    scores = [judge(a).metrics["accuracy"] for a in found]
    assert sum(scores[-20:]) > 1.5 * sum(scores[:10]) * 2


def test_cmaes_takes_decisions_as_numbers() -> None:
    found = searched(make("cmaes"), 30)
    assert len(set(found)) > 5


def test_several_metrics() -> None:
    strategy = make("nsgaii", "accuracy,-cost", population_size=6)
    assert len(searched(strategy, 20)) == 20
    values = [trial.values for trial in strategy._study.trials]
    assert all(v[0] >= 0 >= v[1] for v in values)  # both to be maximised
    with pytest.raises(NasError, match="searches for one metric"):
        make("cmaes", "accuracy,-cost")


def test_what_was_not_asked_for_is_learnt_too() -> None:
    strategy = make("tpe")
    best = Architecture(SPACE.name, (3,) * 6)
    strategy.tell([(best, judge(best)), (best, Measurement(error="no"))])
    states = [trial.state.name for trial in strategy._study.trials]
    assert states == ["COMPLETE", "FAIL"]


def test_mistakes() -> None:
    with pytest.raises(NasError, match="Did you mean 'tpe"):
        OptunaSettings("tpee")
    with pytest.raises(NasError, match="Did you mean 'n_startup_trials"):
        OptunaSettings("tpe", '{"n_startup_trial": 3}')
    with pytest.raises(NasError, match="not JSON"):
        OptunaSettings("tpe", "{")
