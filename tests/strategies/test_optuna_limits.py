"""What Optuna's samplers make of limits: on what is measured, and on what is known before."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from small_spaces import grid

from nas.objective import Limit, Measurement, Objective
from nas.search.limited import LimitedSpace
from nas.space import Architecture
from nas.strategies.optuna import OptunaSettings, OptunaStrategy
from nas.strategies.random import RandomSearch
from nas.strategies.strategy import Strategy

SPACE = grid(6, 5)
WEIGHTS = np.arange(1, 7)
TWO_PERCENT = Objective("accuracy", (Limit("latency", "<", 15.0),))
"""What 1.8 % of the space keep."""
HEEDING = ["tpe", "nsgaii", "nsgaiii", "gp"]
FAILED = Measurement(error="no")


def make(sampler: str, objective: Objective = TWO_PERCENT, seed: int = 0) -> OptunaStrategy:
    options = {"population_size": 10} if sampler.startswith("nsga") else {}
    return OptunaStrategy(SPACE, objective, seed, OptunaSettings(sampler, json.dumps(options)))


def measured(architecture: Architecture) -> Measurement:
    choices = np.array(architecture.choices)
    accuracy = choices @ [3, 1, 2, 2, 1, 3] + choices[0] * choices[1]
    return Measurement({"accuracy": float(accuracy), "latency": float(choices @ WEIGHTS)})


def until_feasible(strategy: Strategy) -> int:
    """Return how many evaluations it takes to find what keeps the limits."""
    for n in range(1, 1000):
        [architecture] = strategy.ask(1)
        measurement = measured(architecture)
        if strategy.objective.allows(measurement):
            return n
        strategy.tell([(architecture, measurement)])
    raise AssertionError


@pytest.mark.parametrize("sampler", ["tpe", "nsgaii", "cmaes"])
def test_what_breaks_a_limit_teaches(sampler: str) -> None:
    found = [until_feasible(make(sampler, seed=seed)) for seed in range(5)]
    random = [until_feasible(RandomSearch(SPACE, TWO_PERCENT, seed)) for seed in range(5)]
    assert sum(found) <= 0.5 * sum(random)


@pytest.mark.parametrize("sampler", HEEDING)
def test_what_breaks_a_limit_keeps_its_values_beside_its_excess(sampler: str) -> None:
    objective = Objective("accuracy", (Limit("latency", "<", 20.0), Limit("accuracy", ">=", 5.0)))
    strategy = make(sampler, objective)
    told = [*zip(strategy.ask(2), strategy.ask(2), strategy.ask(2), strategy.ask(2), strict=True)]
    architectures = [a for some in told for a in some]
    measurements = [
        Measurement({"accuracy": 10.0, "latency": 30.0}),
        Measurement({"accuracy": 10.0, "latency": 10.0}),
        Measurement({"latency": 25.0}),
        Measurement({"accuracy": 5.0, "latency": float("inf")}),
        Measurement({"accuracy": 10.0, "latency": 20.0}),
        FAILED,
    ]
    strategy.tell([*zip(architectures, measurements, strict=False)])
    strategy.tell([(Architecture(SPACE.name, (0,) * 6), measurements[0])])
    restored = make(sampler, objective)
    restored.load_state_dict(json.loads(json.dumps(strategy.state_dict())))
    for one in (strategy, restored):
        trials = {t.number: t for t in one._trials.study.trials}
        by_number = [trials[n] for n in (0, 2, 4, 6, 1, 3, 8)]
        states = ["COMPLETE", "COMPLETE", "PRUNED", "COMPLETE", "COMPLETE", "FAIL", "COMPLETE"]
        assert [t.state.name for t in by_number] == states
        assert [t.value for t in by_number] == [10, 10, None, 5, 10, None, 10]
        excesses = [t.system_attrs.get("constraints") for t in by_number]
        assert [e and list(e) for e in excesses] == [
            [0.5, -1.0], [-0.5, -1.0], [0.25, 0.0], [1e6, 0.0], [0.01, -1.0], None, [0.5, -1.0],
        ]  # fmt: skip


@pytest.mark.parametrize("sampler", ["tpe", "nsgaii", "cmaes", "random"])
@pytest.mark.parametrize("goals", ["accuracy", "accuracy,-latency"])
def test_a_restored_search_under_limits_goes_on_the_same(sampler: str, goals: str) -> None:
    objective = Objective(goals, TWO_PERCENT.limits)
    if sampler == "cmaes" and "," in goals:
        return
    first, second = make(sampler, objective), make(sampler, objective)
    searched(first, 25)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert searched(first, 15) == searched(second, 15)


def searched(strategy: Strategy, rounds: int) -> list[Architecture]:
    found = []
    for _ in range(rounds):
        [architecture] = strategy.ask(1)
        strategy.tell([(architecture, measured(architecture))])
        found.append(architecture)
    return found


def test_samplers_that_know_no_limits_are_told_penalised_scores() -> None:
    strategy = make("cmaes")
    [architecture] = strategy.ask(1)
    strategy.tell([(architecture, Measurement({"accuracy": 1.0, "latency": 30.0}))])
    [trial] = strategy._trials.study.trials
    assert trial.state.name == "COMPLETE"
    assert trial.value == TWO_PERCENT.score(Measurement({"accuracy": 1.0, "latency": 30.0}))
    assert "constraints" not in trial.system_attrs


@pytest.mark.parametrize("sampler", HEEDING)
def test_states_of_before_excesses_were_kept_go_on(sampler: str) -> None:
    strategy, n = make(sampler), 4 if sampler == "gp" else 12
    kept = [
        a
        for a in SPACE.sample(np.random.default_rng(0), 2000)
        if measured(a).metrics["latency"] < 15
    ]
    before = make(sampler, Objective("accuracy"))
    before.tell([(a, measured(a)) for a in kept[:15]])
    before.tell([(a, FAILED) for a in SPACE.sample(np.random.default_rng(1), 15)])
    state = json.loads(json.dumps(before.state_dict()))
    del state["listed"]
    strategy.load_state_dict(state)
    assert len(searched(strategy, n)) == n
    complete = [t for t in strategy._trials.study.trials if t.state.name == "COMPLETE"]
    assert all(list(t.system_attrs["constraints"]) == [0.0] for t in complete[:15])


# -- limits that are known before an evaluation ---------------------------------------------------


def limited(most: float) -> LimitedSpace:
    def costs(architectures: Any) -> list[dict[str, float]]:
        return [{"params": float(sum(a.choices))} for a in architectures]

    return LimitedSpace(grid(12, 4), [Limit("params", "<=", most)], costs)


@pytest.mark.parametrize("sampler", ["tpe", "nsgaii", "cmaes", "qmc"])
def test_what_is_not_valid_is_mended(sampler: str) -> None:
    def strategy() -> OptunaStrategy:
        options = {"population_size": 10} if sampler.startswith("nsga") else {}
        settings = OptunaSettings(sampler, json.dumps(options))
        return OptunaStrategy(limited(7), Objective(), 0, settings)  # of 400, one is valid

    def run(strategy: OptunaStrategy, rounds: int) -> list[Architecture]:
        found = []
        for _ in range(rounds):
            [architecture] = strategy.ask(1)
            value = float(np.sqrt(architecture.choices) @ [5, 1, 4, 1, 1, 3, 2, 1, 1, 1, 2, 1])
            strategy.tell([(architecture, Measurement({"accuracy": value}))])
            found.append(architecture)
        return found

    first, second = strategy(), strategy()
    found = run(first, 40)
    assert all(first.space.check(architecture) is None for architecture in found)
    trials = first._trials.study.trials
    assert len(trials) <= 4 * len(found)
    complete = [t for t in trials if t.state.name == "COMPLETE"]
    assert [tuple(t.params.values()) for t in complete] == [a.choices for a in found]
    if sampler == "nsgaii":  # members that were mended count: there are generations
        generations = {t.system_attrs.get("NSGAIISampler:generation") for t in complete}
        assert {0, 1, 2, 3} <= generations
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert run(first, 8) == run(second, 8)
