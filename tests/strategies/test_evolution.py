"""Regularised evolution."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from grids import Grid, architecture, distance, failed, goes_on_the_same, measured, run

from nas.errors import NasError
from nas.objective import Measurement, Objective, parse_limits
from nas.space import Architecture
from nas.strategies.evolution import EvolutionSettings, RegularizedEvolution
from nas.strategies.random import RandomSearch


def make(space: Grid | None = None, seed: int = 0, **settings: Any) -> RegularizedEvolution:
    made = EvolutionSettings(**settings)
    return RegularizedEvolution(space or Grid(), Objective(), seed, made)


def tell(strategy: RegularizedEvolution, *choices: Architecture) -> None:
    strategy.tell([(a, measured(a)) for a in choices])


def test_random_architectures_come_first() -> None:
    strategy = make(Grid(30, 40), population=10)
    first = run(strategy, 10)
    assert min(distance(a, b) for a in first for b in first if a != b) > 5
    assert all(min(distance(child, a) for a in first) == 1 for child in strategy.ask(10))


def test_a_parent_is_the_best_of_its_tournament() -> None:
    members = [architecture(i, 0, 0, 0, 0, 0) for i in range(4)]
    counts = {}
    for tournament in (1, 3):
        strategy = make(Grid(6, 40), population=4, tournament=tournament)
        tell(strategy, *members)
        counts[tournament] = Counter(strategy._winner().choices[0] for _ in range(2000))
    # The best of 3 draws with replacement is the k-th worst of 4 with ((k+1)^3 - k^3) / 4^3.
    for k in range(4):
        assert counts[1][k] == pytest.approx(500, abs=80)
        assert counts[3][k] == pytest.approx(2000 * ((k + 1) ** 3 - k**3) / 64, abs=80)


def test_the_oldest_dies_even_if_it_is_the_best() -> None:
    best, *others = (architecture(i, i, i, i, i, i) for i in (3, 0, 1, 2))
    ageing, elitist = (make(population=3, removal=rule) for rule in ("oldest", "worst"))
    for strategy in (ageing, elitist):
        tell(strategy, best, *others)
    assert [a for a, _ in ageing.members] == others
    assert [a for a, _ in elitist.members] == [best, *others[1:]]


def test_a_failure_is_no_parent() -> None:
    strategy = make(Grid(6, 40), population=4, tournament=1)
    good = architecture(1, 1, 1, 1, 1, 1)
    bad = [architecture(i, 0, 3, 3, 0, i) for i in range(4)]
    strategy.tell([(a, failed()) for a in bad[:2]])
    tell(strategy, good)
    strategy.tell([(a, failed()) for a in bad[2:]])
    assert all(distance(child, good) == 1 for child in strategy.ask(15))


def test_what_breaks_a_limit_loses_to_what_breaks_it_less() -> None:
    objective = Objective("accuracy", parse_limits("cost<3"))
    settings = EvolutionSettings(population=3)
    strategy = RegularizedEvolution(Grid(6, 40), objective, 0, settings)
    good, near, far = (
        architecture(0, 0, *[last] * n, *[0] * (4 - n)) for n, last in ((1, 1), (3, 9), (4, 9))
    )
    strategy.tell([(a, measured(a)) for a in (far, near)])
    strategy.tell([(a, failed()) for a in strategy.ask(1)])
    assert [a for a, _ in strategy.members] == [far, near]
    assert all(distance(child, near) == 1 for child in strategy.ask(10))
    strategy.tell([(good, measured(good))])
    assert all(distance(child, good) == 1 for child in strategy.ask(10))


def test_a_member_that_is_evaluated_again_has_the_new_score() -> None:
    strategy = make(population=3)
    best, other = architecture(3, 3, 3, 3, 3, 3), architecture(1, 1, 1, 1, 1, 1)
    tell(strategy, best, other)
    strategy.tell([(best, Measurement({"accuracy": -1.0}))])
    assert strategy._winner() == other
    strategy.tell([(other, failed())])
    assert {a for a, _ in strategy.members} == {best}


def test_failures_alone_leave_it_at_random_search() -> None:
    strategy = make(population=3)
    for _ in range(4):
        strategy.tell([(a, failed()) for a in strategy.ask(3)])
    assert not strategy.members
    assert len(set(strategy.ask(50))) == 50


def test_mutations() -> None:
    parent = architecture(*[0] * 12)
    strategy = make(Grid(12, 50), population=1, mutations=3)
    tell(strategy, parent)
    distances = Counter(distance(child, parent) for child in strategy.ask(200))
    assert set(distances) <= {1, 2, 3}  # the same decision may change again
    assert distances[3] > 100


def test_crossover_takes_from_two_parents() -> None:
    strategy = make(Grid(30, 4), population=2, tournament=1, crossover=1.0)
    parents = [architecture(*[option] * 30) for option in (1, 2)]
    tell(strategy, *parents)
    mixed = [child for child in strategy.ask(40) if {1, 2} <= set(child.choices)]
    assert len(mixed) > 10
    for child in mixed:
        assert sum(choice not in (1, 2) for choice in child.choices) <= 1


def test_it_proposes_new_architectures() -> None:
    strategy = make(Grid(4, 4), population=5)
    asked = run(strategy, 200)
    assert len(set(asked)) > 195  # of 256


def test_a_space_is_exhausted_and_it_goes_on() -> None:
    assert len(set(run(make(Grid(2, 2), population=2), 40))) == 4
    assert set(run(make(Grid(1, 1)), 40)) == {architecture(0)}


def test_architectures_without_neighbours() -> None:
    assert len(set(run(make(Grid(4, 2, even=True), population=2), 30))) == 8


def test_it_finds_better_ones_than_random_search() -> None:
    def best(strategy: Any) -> float:
        return max(sum(a.choices) for a in run(strategy, 150))

    space = Grid(12, 6)
    for seed in range(3):
        by_chance = best(RandomSearch(space, Objective(), seed))
        assert best(make(space, seed)) > by_chance + 5


def test_minimising() -> None:
    strategy = RegularizedEvolution(Grid(), Objective("-accuracy"), 0)
    assert min(sum(a.choices) for a in run(strategy, 150)) <= 1


def test_results_in_any_order() -> None:
    """Also of what was not asked for, and again."""
    strategy = make(population=4)
    asked = strategy.ask(8)
    strategy.tell([])
    tell(strategy, *reversed(asked[4:]), architecture(3, 3, 3, 3, 3, 3))
    again = strategy.ask(6)
    tell(strategy, *again, *asked[:4], *asked[:4])
    assert len(strategy.members) == 4
    assert len(set(again + strategy.ask(6)) - set(asked)) == 12


@pytest.mark.parametrize("removal", ["oldest", "worst"])
def test_state(removal: str) -> None:
    first = make(population=5, removal=removal, crossover=0.5)
    run(first, 12)
    first.tell([(architecture(0, 0, 0, 0, 0, 0), Measurement({"accuracy": 1.0}))])
    first.ask(2)
    goes_on_the_same(first, make(population=5, removal=removal, crossover=0.5, seed=9))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"population": 0}, "strategy.population=0: expected at least 1"),
        ({"tournament": 0}, "strategy.tournament=0: expected at least 1"),
        ({"mutations": 0}, "strategy.mutations=0: expected at least 1"),
        ({"crossover": 1.5}, "strategy.crossover=1.5: expected 0 to 1"),
        ({"removal": "oldes"}, "unknown strategy.removal 'oldes'.*oldest"),
    ],
)
def test_settings_out_of_range(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(NasError, match=message):
        EvolutionSettings(**settings)
