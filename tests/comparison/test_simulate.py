"""Searches on a simulated clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from nas.benchmarks.home import open_benchmark
from nas.comparison.facts import objective_of
from nas.comparison.repeat import Repeat
from nas.comparison.simulate import Budget, Setup, simulate
from nas.objective import Measurement, Objective
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import Architecture
from nas.strategies.random import RandomSearch
from nas.strategies.strategy import Strategy

pytestmark = pytest.mark.usefixtures("home")


class Listed(Strategy):
    """Proposes what it is given, in turn, and remembers what it is told."""

    def __init__(self, proposals: Sequence[Sequence[int]]) -> None:
        super().__init__(NASBench201(), Objective())
        self.proposals = [Architecture("nas-bench-201", tuple(p)) for p in proposals]
        self.asked = 0
        self.told: list[tuple[Architecture, Measurement]] = []

    def ask(self, n: int) -> list[Architecture]:
        assert n == 1
        self.asked += 1
        return [self.proposals[(self.asked - 1) % len(self.proposals)]]

    def tell(self, results: Sequence[tuple[Architecture, Measurement]]) -> None:
        self.told += results


def row(*first: int) -> list[int]:
    """Choices that sum up to those given."""
    return [*first, *[3] * (6 - len(first))]


def run(
    strategy: Strategy, benchmark: str = "made:toy", told: bool = False, **budget: Any
) -> Repeat:
    repeat, known = Repeat(benchmark, "listed", 0, 0), "told" if told else "reminded"
    setup = Setup(repeats=known)  # type: ignore[arg-type]
    simulate(open_benchmark(benchmark), strategy, Budget(**budget), repeat, setup)
    return repeat


def test_the_trajectory_of_a_search() -> None:
    a, b, c = row(1), row(4), row(2)
    repeat = run(Listed([a, b, c]), evaluations=3)
    assert repeat.choices == [a, b, c] and repeat.stopped == "evaluations"
    assert repeat.values == pytest.approx([0.5 + 0.4 * n / 24 for n in (16, 19, 17)])
    assert repeat.seconds == [26, 26 + 29, 26 + 29 + 27]
    assert repeat.best == [repeat.values[0], repeat.values[1], repeat.values[1]]
    # Of the best, not of the last: b has an even first option, a an odd one.
    assert repeat.reported["test_accuracy"] == pytest.approx(
        [repeat.values[0] - 0.03, repeat.values[1] - 0.01, repeat.values[1] - 0.01]  # type: ignore[operator]
    )


def test_minimised_metrics_and_what_the_table_lacks() -> None:
    zero = [0] * 6
    repeat = run(Listed([zero, row(1), row(4)]), evaluations=3)
    assert repeat.values[0] is None and repeat.best[0] is None and repeat.best[1] is not None
    repeat = run(Listed([row(1), row(4), row(2)]), "made:loss", evaluations=3)
    assert repeat.best[1:] == [repeat.values[1]] * 2
    assert repeat.values[1] == pytest.approx(0.5 - 0.4 * 19 / 24)


def test_a_search_does_not_see_what_is_reported() -> None:
    strategy = Listed([row(1)])
    run(strategy, evaluations=1)
    [(_, measurement)] = strategy.told
    assert set(measurement.metrics) == {"accuracy", "params"} and measurement.seconds == 26


def test_equal_networks_count_once() -> None:
    strategy = Listed([row(1), row(1), row(4)])
    repeat = run(strategy, evaluations=2)
    assert repeat.choices == [row(1), row(4)]
    assert [a.choices[0] for a, _ in strategy.told] == [1, 1, 4]  # told again what is known
    assert repeat.proposals == 3


def test_a_budget_of_seconds() -> None:
    repeat = run(Listed([row(1), row(4), row(2)]), seconds=26 + 29 + 26.9)
    assert repeat.seconds == [26, 55] and repeat.stopped == "seconds"
    assert len(run(Listed([row(1), row(4), row(2)]), seconds=26 + 29 + 27)) == 3
    assert len(run(Listed([row(1), row(4), row(2)]), seconds=1000, evaluations=1)) == 1


def test_a_strategy_without_anything_new_ended_once() -> None:
    """As comparisons of before go on; now something near is taken."""
    repeat = run(Listed([row(1), row(4)]), told=True, evaluations=5)
    assert len(repeat) == 2 and repeat.stopped == "exhausted" and repeat.proposals > 1000
    repeat = run(Listed([row(1), row(4)]), evaluations=5)
    assert len(repeat) == 5 and repeat.stopped == "evaluations" and 100 < repeat.proposals < 1000


def test_results_come_when_evaluations_end() -> None:
    """Two workers: the first two start at 0; who is free asks next."""
    slow, quick, next_, last = row(4), row(0), row(1), row(2)
    strategy = Listed([slow, quick, next_, last])
    repeat = run(strategy, evaluations=4, workers=2)
    assert repeat.choices == [quick, slow, next_, last]
    assert repeat.seconds == [25, 29, 25 + 26, 29 + 27]
    assert [list(a.choices) for a, _ in strategy.told] == repeat.choices


def test_what_is_under_way_is_not_evaluated_again() -> None:
    repeat = run(Listed([row(4), row(4), row(4), row(0)]), evaluations=2, workers=2)
    assert repeat.choices == [row(0), row(4)]


def test_a_worker_waits_where_only_pending_ones_are_proposed() -> None:
    strategy = Listed([row(4)] * 30 + [row(0)])
    repeat = run(strategy, evaluations=2, workers=2)
    assert repeat.seconds == [29, 29 + 25]


def test_many_workers_see_the_same_clock_as_one() -> None:
    benchmark = open_benchmark("made:toy")
    found = []
    for workers in (1, 4):
        strategy = RandomSearch(benchmark.space, objective_of(benchmark), 5)
        found.append(run(strategy, evaluations=40, workers=workers))
    assert sorted(found[0].choices) == sorted(found[1].choices)
    assert found[1].seconds == sorted(found[1].seconds)
    assert found[0].seconds[-1] > 3 * found[1].seconds[-1]


def test_a_clock_that_stands_still_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that lacks all that is proposed answers in no time."""
    benchmark = open_benchmark("made:toy")
    monkeypatch.setattr(type(benchmark), "measure", lambda *_: Measurement(error="absent"))
    strategy = RandomSearch(benchmark.space, objective_of(benchmark), 0)
    repeat = Repeat("made", "random", 0, 0)
    simulate(benchmark, strategy, Budget(seconds=5.0), repeat)
    assert repeat.stopped == "exhausted" and len(repeat) < 2000
    assert np.all([best is None for best in repeat.best])


# -- what comes before the strategy ---------------------------------------------------------------


class Counting(Listed):
    """Notes how much it had been told when it was asked first."""

    told_before: int | None = None

    def ask(self, n: int) -> list[Architecture]:
        if self.told_before is None:
            self.told_before = len(self.told)
        return super().ask(n)


def initial(*rows: list[int]) -> Setup:
    return Setup(initial=[Architecture("nas-bench-201", tuple(r)) for r in rows])


@pytest.mark.parametrize("workers", [1, 3])
def test_an_initial_design_is_told_before_the_strategy_is_asked(workers: int) -> None:
    """With several workers, too: they wait for its last one."""
    strategy = Counting([row(1), row(4)])
    repeat = Repeat("made:toy", "s", 0, 0)
    setup = initial(row(0), row(4), row(2))
    budget = Budget(4, workers=workers)
    simulate(open_benchmark("made:toy"), strategy, budget, repeat, setup)
    assert strategy.told_before == 3 and len(repeat) == 4
    assert sorted(repeat.choices[:3]) == sorted([row(0), row(4), row(2)])
    assert repeat.choices[3] == row(1) and repeat.proposals == 1
    if workers == 3:
        assert repeat.seconds == [25, 27, 29, 29 + 26]


def test_an_initial_design_counts_and_is_known() -> None:
    strategy = Listed([row(4), row(1)])
    repeat = Repeat("made:toy", "s", 0, 0)
    simulate(open_benchmark("made:toy"), strategy, Budget(2), repeat, initial(row(4)))
    assert repeat.choices == [row(4), row(1)] and repeat.stopped == "evaluations"
    assert repeat.proposals == 2  # the first of which was known
    repeat = Repeat("made:toy", "s", 0, 0)
    simulate(open_benchmark("made:toy"), strategy, Budget(1), repeat, initial(row(0), row(4)))
    assert repeat.choices == [row(0)]


def test_what_has_no_number_of_an_objective_has_failed() -> None:
    repeat, strategy = Repeat("made:toy", "s", 0, 0), Listed([row(1), row(4)])
    benchmark = open_benchmark("made:untimed")  # without costs
    simulate(benchmark, strategy, Budget(1), repeat, Setup(objective=Objective("-params")))
    assert repeat.values == [None] and "has no params" in strategy.told[0][1].error
