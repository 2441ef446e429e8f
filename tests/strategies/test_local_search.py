"""Local search."""

from __future__ import annotations

from typing import Any

import pytest
from grids import Grid, Mirrored, architecture, distance, failed, goes_on_the_same, measured, run

from nas.errors import NasError
from nas.objective import Measurement, Objective
from nas.space import Architecture
from nas.strategies.local_search import LocalSearch, LocalSearchSettings


def make(space: Grid | None = None, seed: int = 0, **settings: Any) -> LocalSearch:
    return LocalSearch(space or Grid(), Objective(), seed, LocalSearchSettings(**settings))


def told(strategy: LocalSearch, *choices: Architecture) -> None:
    strategy.tell([(a, measured(a)) for a in choices])


def test_a_climb_begins_at_the_best_of_the_starts() -> None:
    strategy = make(Grid(20, 4), starts=5)
    starts = run(strategy, 5)
    best = max(starts, key=lambda a: sum(a.choices))
    assert strategy.current == best
    assert distance(strategy.ask(1)[0], best) == 1


def test_it_steps_to_the_first_better_neighbour() -> None:
    strategy = make(starts=1)
    [start] = run(strategy, 1)
    at = start
    for _ in range(30):
        [neighbor] = strategy.ask(1)
        assert distance(neighbor, at) == 1
        told(strategy, neighbor)
        at = max(at, neighbor, key=lambda a: sum(a.choices))
        assert strategy.current == at


def test_it_steps_to_the_best_of_all_neighbours() -> None:
    strategy = make(Grid(3, 4), starts=1, step="best")
    told(strategy, start := architecture(0, 1, 0))
    neighbors = run(strategy, 9)
    assert set(neighbors) == set(strategy.space.neighbors(start))
    assert strategy.current in {architecture(3, 1, 0), architecture(0, 1, 3)}


def test_neighbours_come_in_random_order() -> None:
    orders = []
    for seed in range(2):
        strategy = make(seed=seed, starts=1)
        told(strategy, architecture(3, 3, 3, 3, 3, 3))
        orders.append(strategy.ask(18))
    assert orders[0] != orders[1]
    assert set(orders[0]) == set(orders[1])


def test_it_finds_the_only_optimum() -> None:
    for step in ("first", "best"):
        asked = run(make(starts=2, step=step), 150)
        assert architecture(3, 3, 3, 3, 3, 3) in asked


def test_it_starts_anew_at_a_local_optimum() -> None:
    strategy = make(Grid(30, 2), starts=2)
    peak = architecture(*[1] * 30)
    told(strategy, peak, architecture(*[0] * 30))
    assert {distance(a, peak) for a in run(strategy, 30)} == {1}
    starts = run(strategy, 2)
    assert min(distance(a, peak) for a in starts) > 5
    assert strategy.current == max(starts, key=lambda a: sum(a.choices))


def test_what_is_known_is_not_asked_again() -> None:
    asked = run(make(Grid(4, 4)), 200)
    assert len(set(asked)) > 195  # of 256


def test_known_neighbours_are_compared_too() -> None:
    strategy = make(Grid(2, 4), starts=2, step="best")
    told(strategy, low := architecture(1, 0), architecture(0, 0))
    assert strategy.current == low
    told(strategy, best := architecture(1, 3))  # not asked for
    assert len(run(strategy, 4)) == 4  # the neighbours that are not known
    strategy.ask(1)
    assert strategy.current == best


def test_equal_networks_are_asked_once() -> None:
    space = Mirrored(4, 4)
    asked = run(make(space, starts=2), 30)
    assert len({space.canonical(a) for a in asked}) == 30  # of 35


def test_starts_are_proposed_while_neighbours_are_awaited() -> None:
    strategy = make(Grid(20, 2), starts=3)
    starts = run(strategy, 3)
    at = strategy.current
    assert at in starts
    neighbors = strategy.ask(20)
    assert {distance(a, at) for a in neighbors} == {1}
    others = strategy.ask(2)
    assert min(distance(a, at) for a in others) > 2
    told(strategy, *others, *neighbors)
    assert strategy.current in neighbors  # the climb goes on, and the starts are kept
    assert len(strategy.started) == 2


def test_results_that_never_come_do_not_stop_it() -> None:
    strategy = make(Grid(20, 2), starts=3)
    run(strategy, 3)
    lost = strategy.ask(20)
    starts = run(strategy, 3)
    assert strategy.current in starts
    told(strategy, *lost)
    assert not set(lost) & set(strategy.started)


def test_without_neighbours_it_is_random_search() -> None:
    space = Grid(6, 2, even=True)
    assert space.neighbors(architecture(0, 0, 0, 0, 0, 0)) == []
    asked = run(make(space, starts=1), 40)
    assert len(set(asked)) > 28  # of 32


def test_a_space_is_exhausted_and_it_goes_on() -> None:
    for starts in (1, 3, 10):
        assert len(set(run(make(Grid(2, 2), starts=starts), 60))) == 4
    assert set(run(make(Grid(1, 1)), 30)) == {architecture(0)}


def test_no_climb_from_a_failure() -> None:
    strategy = make(starts=2)
    for _ in range(4):
        strategy.tell([(a, failed()) for a in strategy.ask(1)])
    assert strategy.current is None
    [good] = run(strategy, 1)
    assert strategy.current == good


def test_failed_neighbours_are_passed_over() -> None:
    strategy = make(Grid(3, 4), starts=1)
    told(strategy, start := architecture(0, 0, 0))
    strategy.tell([(a, failed()) for a in strategy.ask(8)])
    assert strategy.current == start
    [last] = run(strategy, 1)
    assert strategy.current == last


def test_a_changed_score_is_heeded() -> None:
    strategy = make(Grid(3, 4), starts=1, step="best")
    told(strategy, start := architecture(1, 1, 1))
    asked = strategy.ask(9)
    told(strategy, *asked[:8])
    assert strategy.better is not None
    strategy.tell([(start, Measurement({"accuracy": 100.0}))])
    told(strategy, asked[8])
    assert (strategy.current, strategy.better) == (start, None)


def test_minimising() -> None:
    strategy = LocalSearch(Grid(), Objective("-accuracy"), 0)
    assert architecture(0, 0, 0, 0, 0, 0) in run(strategy, 150)


@pytest.mark.parametrize("step", ["first", "best"])
@pytest.mark.parametrize("evaluations", [2, 9, 60])
def test_state(step: str, evaluations: int) -> None:
    first = make(starts=3, step=step)
    run(first, evaluations)
    first.ask(3)
    first.tell([(architecture(2, 2, 2, 2, 2, 2), Measurement({"accuracy": 1.0}))])
    goes_on_the_same(first, make(starts=3, step=step, seed=9))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"starts": 0}, "strategy.starts=0: expected at least 1"),
        ({"step": "firs"}, "unknown strategy.step 'firs'.*first"),
    ],
)
def test_settings_out_of_range(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(NasError, match=message):
        LocalSearchSettings(**settings)
