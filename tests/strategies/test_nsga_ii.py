"""NSGA-II."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from grids import Grid, architecture, distance, failed, goes_on_the_same, measured, run

from nas.errors import NasError
from nas.objective import Objective
from nas.objective.pareto import hypervolume
from nas.space import Architecture
from nas.strategies.nsga_ii import NSGA2, NSGA2Settings, breed, survivors
from nas.strategies.random import RandomSearch
from nas.strategies.strategy import Strategy

BOTH = Objective("accuracy,-cost")


def make(space: Grid | None = None, seed: int = 0, text: str = "", **settings: Any) -> NSGA2:
    objective = Objective(text) if text else BOTH
    return NSGA2(space or Grid(), objective, seed, NSGA2Settings(**settings))


def volume(asked: list[Architecture]) -> float:
    """The share of the largest hypervolume, for a grid of 10 decisions with 6 options."""
    scores = np.array([BOTH.scores(measured(a)) for a in asked])
    return hypervolume(scores, np.array([-1.0, -11.0])) / sum(5 * cost + 1 for cost in range(11))


# -- the parts ------------------------------------------------------------------------------------


def test_survivors_by_front_and_then_by_crowding() -> None:
    front = [[0.0, 10.0], [1.0, 9.0], [1.5, 8.5], [6.0, 4.0], [10.0, 0.0]]
    scores = np.array([[0.0, 0.0], *front, [1.0, 1.0]])
    assert set(survivors(scores, 3).tolist()) == {1, 5, 4}
    assert survivors(scores, 99).tolist()[-2:] == [6, 0]
    assert survivors(scores[:, :1], 2).tolist() == [5, 4]


def test_children_take_from_parents() -> None:
    space, rng = Grid(30, 4), np.random.default_rng(0)
    parents = np.repeat([[1], [2]], 30, axis=1)
    scores = np.array([[1.0, 0.0], [0.0, 1.0]])
    settings = NSGA2Settings(crossover=1.0, mutations=0.0)
    children = breed(space, parents, scores, 60, settings, rng)
    assert {1, 2} == set(children.ravel().tolist())
    mixed = [set(child) == {1, 2} for child in children.tolist()]
    assert 15 < sum(mixed) < 45  # where two tournaments have two winners


def test_tournaments_are_won_by_the_better() -> None:
    space, rng = Grid(1, 4), np.random.default_rng(0)
    parents, scores = np.array([[0], [1], [2], [3]]), np.array([[0.0], [1.0], [2.0], [3.0]])
    settings = NSGA2Settings(crossover=0.0, mutations=0.0)
    children = breed(space, parents, scores, 4000, settings, rng)
    shares = np.bincount(children[:, 0]) / 4000
    assert shares == pytest.approx(np.array([1, 3, 5, 7]) / 16, abs=0.03)


def test_as_many_mutations_as_asked_for_on_average() -> None:
    space, rng = Grid(40, 50), np.random.default_rng(0)
    parents, scores = np.zeros((1, 40), dtype=np.int64), np.zeros((1, 1))
    for mutations in (0.5, 1.0, 3.0):
        settings = NSGA2Settings(mutations=mutations)
        children = breed(space, parents, scores, 500, settings, rng)
        assert (children > 0).sum(1).mean() == pytest.approx(mutations, rel=0.15)


def test_children_are_valid() -> None:
    space, rng = Grid(6, 3, even=True), np.random.default_rng(0)
    parents = space.sample_choices(rng, 30)
    children = breed(space, parents, rng.random((30, 2)), 200, NSGA2Settings(mutations=2.0), rng)
    assert space.valid(children).all()


# -- the strategy ---------------------------------------------------------------------------------


def test_a_generation_is_random_then_bred() -> None:
    strategy = make(Grid(30, 4), population=6, crossover=0.0)
    first = run(strategy, 6)
    assert min(distance(a, b) for a in first for b in first if a != b) > 5
    assert all(min(distance(child, a) for a in first) < 5 for child in strategy.ask(20))


def test_a_generation_ends_when_its_children_were_told() -> None:
    strategy = make(population=4)
    run(strategy, 4)
    before = list(strategy.members)
    run(strategy, 3)
    assert strategy.members == before
    run(strategy, 1)
    assert strategy.children == []
    assert strategy.members != before
    assert len(strategy.members) == 4


def test_the_best_stay() -> None:
    strategy = make(population=4, text="accuracy")
    best = architecture(3, 3, 3, 3, 3, 2)
    strategy.tell([(best, measured(best))])
    run(strategy, 40)
    assert best.choices in dict(strategy.members)


def test_the_front_is_found() -> None:
    for seed in range(2):
        space = Grid(10, 6)
        by_chance = volume(run(RandomSearch(space, BOTH, seed), 300))
        assert volume(run(make(space, seed), 300)) > by_chance + 0.08


def test_one_objective_and_three() -> None:
    assert max(sum(a.choices) for a in run(make(text="accuracy"), 200)) >= 17
    assert min(sum(a.choices) for a in run(make(text="-accuracy"), 200)) <= 1

    class Three(Objective):
        def scores(self, measurement: Any) -> tuple[float, ...]:
            value = measurement.metrics["accuracy"]
            return (value, -value, 1.0)

    strategy = NSGA2(Grid(), Three(), 0, NSGA2Settings(population=5))
    assert len(set(run(strategy, 30))) == 30


def test_failures_are_no_parents() -> None:
    strategy = make(Grid(30, 4), population=4, crossover=0.0)
    good = architecture(*[1] * 30)
    bad = strategy.ask(3)
    strategy.tell([(a, failed()) for a in bad] + [(good, measured(good))])
    assert dict(strategy.members).keys() == {good.choices}
    assert all(distance(child, good) < 8 for child in strategy.ask(10))
    strategy.tell([(a, failed()) for a in strategy.ask(8)])
    assert dict(strategy.members).keys() == {good.choices}


def test_failures_alone_leave_it_at_random_search() -> None:
    strategy = make(population=3)
    for _ in range(4):
        strategy.tell([(a, failed()) for a in strategy.ask(3)])
    assert not strategy.members
    assert len(set(strategy.ask(30))) == 30


def test_it_proposes_new_architectures() -> None:
    strategy = make(Grid(4, 4), population=5)
    assert len(set(run(strategy, 100) + strategy.ask(50))) > 140  # of 256


def test_a_space_is_exhausted_and_it_goes_on() -> None:
    assert len(set(run(make(Grid(2, 2), population=2), 40))) == 4
    assert set(run(make(Grid(1, 1), population=2), 10)) == {architecture(0)}


def test_results_in_any_order() -> None:
    strategy = make(population=4)
    asked = strategy.ask(10)
    foreign = architecture(3, 3, 3, 3, 3, 3)
    strategy.tell([(a, measured(a)) for a in [foreign, *asked[::-1], *asked[:3]]])
    assert len(strategy.members) == 4
    assert foreign.choices in dict(strategy.members)
    assert len(dict(strategy.members)) == 4


def test_state() -> None:
    first = make(population=5)
    run(first, 13)
    first.ask(2)
    goes_on_the_same(first, make(population=5, seed=9))
    assert isinstance(first, Strategy)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"population": 1}, "strategy.population=1: expected at least 2"),
        ({"crossover": -0.1}, "strategy.crossover=-0.1: expected 0 to 1"),
        ({"mutations": float("nan")}, "strategy.mutations=nan: expected at least 0"),
    ],
)
def test_settings_out_of_range(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(NasError, match=message):
        NSGA2Settings(**settings)
