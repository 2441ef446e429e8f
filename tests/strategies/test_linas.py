"""LINAS: batches that NSGA-II finds on predictors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from grids import Grid, architecture, distance, failed, goes_on_the_same, measured, run

from nas.errors import NasError
from nas.objective import Measurement, Objective, parse_limits
from nas.objective.pareto import hypervolume
from nas.space import Architecture
from nas.strategies.linas import LINAS, LINASSettings
from nas.strategies.random import RandomSearch

QUICK = {"batch": 10, "population": 10, "predictions": 200}


def make(
    space: Grid | None = None, seed: int = 0, text: str = "accuracy", **settings: Any
) -> LINAS:
    return LINAS(space or Grid(), Objective(text), seed, LINASSettings(**(QUICK | settings)))


# -- the loop -------------------------------------------------------------------------------------


def test_the_first_batch_is_random_and_the_next_is_predicted_to_be_good() -> None:
    sums = np.empty((3, 2))
    for seed in range(3):
        strategy = make(Grid(10, 4), seed)
        for batch in range(2):
            sums[seed, batch] = np.mean([sum(a.choices) for a in run(strategy, 10)])
    assert sums[:, 0].mean() == pytest.approx(15, abs=2.5)
    assert sums[:, 1].mean() > 19


@pytest.mark.parametrize("predictor", ["ridge", "svr", "trees", "mlp"])
def test_any_predictor_serves(predictor: str) -> None:
    strategy = make(Grid(8, 4), predictor=predictor, population=5, predictions=50)
    run(strategy, 10)
    assert np.mean([sum(a.choices) for a in strategy.ask(10)]) > 12.5


def test_predictors_are_refitted_after_a_batch() -> None:
    strategy = make()
    run(strategy, 10)
    lengths = []
    for _ in range(22):
        run(strategy, 1)
        lengths.append(len(strategy.queue))
    assert lengths == [*range(9, -1, -1)] * 2 + [9, 8]


def test_a_batch_is_new_and_without_repeats() -> None:
    assert len(set(run(make(Grid(4, 3)), 70))) == 70  # of 81


def test_it_finds_the_optimum_of_an_additive_function() -> None:
    for sign, best in (("", 5), ("-", 0)):
        strategy = make(Grid(8, 6), text=f"{sign}accuracy", predictions=600, batch=30)
        asked = run(strategy, 90)
        assert min(distance(a, architecture(*[best] * 8)) for a in asked) <= 2


def test_two_objectives() -> None:
    space = Grid(10, 6)
    both = Objective("accuracy,-cost")

    def volume(asked: list[Architecture]) -> float:
        scores = np.array([both.scores(measured(a)) for a in asked])
        volume = hypervolume(scores, np.array([-1.0, -11.0]))
        return volume / sum(5 * cost + 1 for cost in range(11))  # the largest there is

    by_chance = volume(run(RandomSearch(space, both, 0), 90))
    found = volume(run(make(space, text=both.text, batch=30, predictions=500), 90))
    assert found > by_chance + 0.2


def test_failures_are_the_worst() -> None:
    strategy = make(Grid(6, 4), batch=40)
    first = strategy.ask(40)
    results = [(a, failed() if a.choices[0] == 3 else measured(a)) for a in first]
    strategy.tell(results)
    batch = strategy.ask(40)
    assert sum(a.choices[0] == 3 for a in batch) < sum(a.choices[1] == 3 for a in batch)


def test_what_is_predicted_to_break_a_limit_loses() -> None:
    """Also where the objective is not measured of what breaks it."""
    objective = Objective("accuracy", parse_limits("cost<=4"))
    strategy = LINAS(Grid(8, 4), objective, 0, LINASSettings(40, 40, 2000))

    def told(architectures: list[Architecture]) -> None:
        results = [measured(a).metrics for a in architectures]
        kept = [{"cost": m["cost"]} if m["cost"] > 4 else m for m in results]
        strategy.tell([(a, Measurement(m)) for a, m in zip(architectures, kept, strict=True)])

    told(first := strategy.ask(40))
    assert np.mean([measured(a).metrics["cost"] <= 4 for a in first]) < 0.35
    second = strategy.ask(40)
    assert np.mean([measured(a).metrics["cost"] <= 4 for a in second]) > 0.8
    told(second)
    third = [a for a in strategy.ask(40) if measured(a).metrics["cost"] <= 4]
    within = [a for a in first if measured(a).metrics["cost"] <= 4]
    sums = [np.mean([sum(a.choices) for a in some]) for some in (within, third)]
    assert sums[1] > sums[0] + 1


def test_a_state_of_before_keeps_what_it_knew_under_limits() -> None:
    objective = Objective("accuracy", parse_limits("cost<=5"))
    first, second = (LINAS(Grid(), objective, 0, LINASSettings(**QUICK)) for _ in range(2))  # type: ignore[arg-type]
    kept = [a for a in first.space.sample(np.random.default_rng(0), 60) if 0 in a.choices][:12]
    first.tell([(a, measured(a)) for a in kept])
    state = first.state_dict()
    del state["facts"]
    second.load_state_dict(state)
    assert first.ask(10) == second.ask(10)


def test_failures_alone_leave_it_at_random_search() -> None:
    strategy = make()
    for _ in range(10):
        strategy.tell([(a, failed()) for a in strategy.ask(4)])
    assert len(set(strategy.ask(30))) == 30
    assert not strategy.queue


def test_it_does_not_wait_for_results() -> None:
    strategy = make()
    asked = strategy.ask(25)
    assert len(set(asked)) == 25
    strategy.tell([(a, measured(a)) for a in asked[:12]])
    more = strategy.ask(25)
    assert len(set(asked + more)) == 50


def test_results_of_what_was_not_asked_count() -> None:
    strategy = make()
    given = strategy.space.sample(np.random.default_rng(5), 12)
    strategy.tell([(a, measured(a)) for a in given])
    batch = strategy.ask(10)
    assert np.mean([sum(a.choices) for a in batch]) > 11
    assert not set(batch) & set(given)


def test_a_space_is_exhausted_and_it_goes_on() -> None:
    assert len(set(run(make(Grid(2, 2)), 30))) == 4
    assert set(run(make(Grid(1, 1)), 15)) == {architecture(0)}
    assert len(set(run(make(Grid(5, 2, even=True)), 30))) == 16


def test_state() -> None:
    first = make()
    run(first, 14)
    first.ask(2)
    first.tell([(architecture(0, 0, 0, 0, 0, 0), Measurement({"accuracy": 1.0}))])
    goes_on_the_same(first, make(seed=9), 15)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch": 4}, "strategy.batch=4: expected at least 5"),
        ({"predictor": "tree"}, "unknown strategy.predictor 'tree'. Did you mean 'trees'"),
        ({"predictions": 0}, "strategy.predictions=0: expected at least 1"),
        ({"population": 1}, "strategy.population=1: expected at least 2"),
    ],
)
def test_settings_out_of_range(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(NasError, match=message):
        LINASSettings(**settings)
