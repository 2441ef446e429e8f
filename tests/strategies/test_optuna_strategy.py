"""Optuna's samplers as strategies."""

from __future__ import annotations

import json
from typing import Any

import optuna
import pytest
from small_spaces import Allowed, Small, everything, grid, router

from nas.errors import NasError
from nas.objective import Measurement, Objective
from nas.search_spaces.darts import DARTS
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import Architecture
from nas.strategies.optuna import OptunaSettings, OptunaStrategy
from nas.strategies.optuna_sampler import samplers

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
    values = [trial.values for trial in strategy._trials.study.trials]
    assert all(v[0] >= 0 >= v[1] for v in values)  # both to be maximised
    with pytest.raises(NasError, match="searches for one metric"):
        make("cmaes", "accuracy,-cost")


def test_what_was_not_asked_for_is_learnt_too() -> None:
    strategy = make("tpe")
    best = Architecture(SPACE.name, (3,) * 6)
    strategy.tell([(best, judge(best)), (best, Measurement(error="no"))])
    states = [trial.state.name for trial in strategy._trials.study.trials]
    assert states == ["COMPLETE", "FAIL"]


@pytest.mark.parametrize("sampler", ["grid", "bruteforce"])
@pytest.mark.parametrize("space", [grid(2, 3), router(), Allowed()])
@pytest.mark.parametrize("at_once", [1, 3])
def test_samplers_that_list_a_space_find_all_and_go_on(
    sampler: str, space: Small, at_once: int
) -> None:
    first = OptunaStrategy(space, Objective(), 0, OptunaSettings(sampler))
    found = searched(first, 40 // at_once, at_once)
    assert {a.choices for a in found} == {*map(tuple, everything(space).tolist())}
    assert all(space.check(architecture) is None for architecture in found)
    second = OptunaStrategy(space, Objective(), 0, OptunaSettings(sampler))
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert searched(first, 6) == searched(second, 6)


def test_a_grid_is_made_once_and_not_of_a_large_space(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[None] = []
    real = optuna.samplers.GridSampler.__init__
    monkeypatch.setattr(
        optuna.samplers.GridSampler,
        "__init__",
        lambda self, *given, **named: made.append(real(self, *given, **named)),
    )
    searched(make("grid"), 5)
    assert len(made) == 1
    with pytest.raises(NasError, match="takes at most 20,000"):
        OptunaStrategy(DARTS(), Objective(), 0, OptunaSettings("grid"))
    assert len(made) == 1


@pytest.mark.parametrize("sampler", [s for s in SAMPLERS if s != "gp"])
@pytest.mark.parametrize("space", [SPACE, router(), Allowed()])
def test_the_one_sampler_draws_what_a_new_one_for_each_trial_would(
    sampler: str, space: Small
) -> None:
    def found(anew: bool) -> list[Architecture]:
        options = {"population_size": 4} if sampler.startswith("nsga") else {}
        settings = OptunaSettings(sampler, json.dumps(options))
        strategy = OptunaStrategy(space, Objective(), 5, settings)
        if anew:
            strategy._sampler.of = lambda number: new(sampler, number, options, space)  # type: ignore[method-assign]
        return searched(strategy, 10, 2) + searched(strategy, 10)

    assert found(anew=True) == found(anew=False)


def new(sampler: str, number: int, options: Any, space: Small) -> optuna.samplers.BaseSampler:
    """What was made for every trial before: recorded searches go on with the same proposals."""
    seed = 5 if sampler in ("grid", "qmc") else 5 + 7919 * number
    if sampler == "grid":
        options = {"search_space": {d.name: [*range(len(d.options))] for d in space.decisions}}
    if sampler == "tpe":
        options = {"constant_liar": True}
    return samplers()[sampler](**options, seed=seed)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("sampler", "options", "initial"),
    [
        ("tpe", {}, 10),
        ("tpe", {"n_startup_trials": 3}, 3),
        ("nsgaii", {}, 50),
        ("gp", {}, 10),
        ("random", {}, 0),
        ("grid", {}, 0),
    ],
)
def test_how_many_are_drawn_at_random_first(
    sampler: str, options: dict[str, Any], initial: int
) -> None:
    settings = OptunaSettings(sampler, json.dumps(options))
    assert OptunaStrategy.initial_evaluations(settings) == initial


def test_mistakes() -> None:
    with pytest.raises(NasError, match="expected"):
        OptunaSettings("tpe", "[3]")
    with pytest.raises(NasError, match="Did you mean 'tpe"):
        OptunaSettings("tpee")
    with pytest.raises(NasError, match="Did you mean 'n_startup_trials"):
        OptunaSettings("tpe", '{"n_startup_trial": 3}')
    with pytest.raises(NasError, match="not JSON"):
        OptunaSettings("tpe", "{")
