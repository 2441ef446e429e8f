"""How a table answers queries."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from nas.benchmarks.home import open_benchmark
from nas.comparison.compare import compare
from nas.comparison.protocol import Trainings, require_protocol
from nas.comparison.repeat import Repeat
from nas.comparison.results import Comparison
from nas.comparison.simulate import Budget, Setup, simulate
from nas.errors import NasError
from nas.objective import Measurement, Objective
from nas.progress import Silent
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import Architecture
from nas.strategies.random import RandomSearch
from nas.strategies.strategy import Strategy

pytestmark = pytest.mark.usefixtures("home")

CELL = Architecture("nas-bench-201", (1, 2, 3, 4, 0, 2))
"""A cell with all three trainings."""


class Always(Strategy):
    """Proposes the same again and again, and remembers what it is told."""

    def __init__(self, *proposals: Architecture) -> None:
        super().__init__(NASBench201(), Objective())
        self.proposals = proposals
        self.told: list[tuple[Architecture, Measurement]] = []
        self.asked = 0

    def ask(self, n: int) -> list[Architecture]:
        self.asked += n
        return [self.proposals[(self.asked - 1) % len(self.proposals)]]

    def tell(self, results: Any) -> None:
        self.told += results


def values(trainings: Trainings, n: int, cell: Architecture = CELL) -> list[float]:
    return [trainings.measure(cell).metrics["accuracy"] for _ in range(n)]


def run(strategy: Strategy, seed: int = 0, **budget: Any) -> Repeat:
    benchmark, repeat = open_benchmark("noisy:toy"), Repeat("noisy:toy", "s", 0, 0)
    setup = Setup(trainings=Trainings(benchmark, seed))
    simulate(benchmark, strategy, Budget(**budget), repeat, setup)
    return repeat


def test_a_query_is_a_training_at_random() -> None:
    """Of the table's three, about equally often; its seconds are its own."""
    benchmark = open_benchmark("noisy:toy")
    trainings = Trainings(benchmark, 0)
    found = [trainings.measure(CELL) for _ in range(300)]
    mean = benchmark.measure(CELL).metrics["accuracy"]
    middle = mean - 0.1 / 3
    counts = Counter(round(m.metrics["accuracy"] - middle, 3) for m in found)
    assert set(counts) == {-0.1, 0.0, 0.2} and min(counts.values()) > 70
    seconds = {-0.1: 10, 0.0: 20, 0.2: 30}
    for measurement in found:
        step = round(measurement.metrics["accuracy"] - middle, 3)
        assert measurement.seconds == seconds[step]


def test_a_training_that_is_missing_is_not_drawn() -> None:
    benchmark = open_benchmark("noisy:toy")
    cell = benchmark.table.architecture(7)
    assert benchmark.trainings(cell) == [0, 1]
    assert len(set(values(Trainings(benchmark, 0), 50, cell))) == 2
    lacking = benchmark.table.architecture(0)
    assert not Trainings(benchmark, 0).measure(lacking).ok


def test_draws_are_common_to_all_who_ask_for_the_same() -> None:
    """Whatever else was asked for in between."""
    benchmark, other = open_benchmark("noisy:toy"), Architecture("nas-bench-201", (4,) * 6)
    first, second = Trainings(benchmark, 3), Trainings(benchmark, 3)
    drawn = values(first, 20)
    again = []
    for _ in range(20):
        values(second, 2, other)
        again += values(second, 1)
    assert drawn == again
    assert drawn != values(Trainings(benchmark, 4), 20)


def test_a_table_with_one_training_answers_with_it() -> None:
    benchmark = open_benchmark("made:toy")
    assert set(values(Trainings(benchmark, 0), 5)) == set(values(Trainings(benchmark, 1), 1))
    assert Trainings(benchmark, 0).measure(CELL) == benchmark.measure(CELL)


def test_all_queries_count_and_are_told() -> None:
    strategy = Always(CELL)
    repeat = run(strategy, evaluations=40)
    assert repeat.choices == [list(CELL.choices)] * 40 and repeat.proposals == 40
    assert len(strategy.told) == 40 and len(set(repeat.values)) == 3
    assert [m.metrics["accuracy"] for _, m in strategy.told] == repeat.values
    assert repeat.stopped == "evaluations"


def test_what_is_found_is_judged_by_its_mean() -> None:
    """The incumbent has the best value that was seen; reported are the means of its trainings."""
    other = Architecture("nas-bench-201", (1, 2, 3, 4, 1, 1))
    benchmark = open_benchmark("noisy:toy")
    repeat = run(Always(CELL, other), evaluations=30)
    means = {tuple(a.choices): benchmark.measure(a).metrics for a in (CELL, other)}
    best: Any = (-1.0, None)
    for at, value in enumerate(repeat.values):
        best = max(best, (value, tuple(repeat.choices[at])), key=lambda pair: pair[0])
        assert repeat.best[at] == means[best[1]]["accuracy"]
        assert repeat.reported["test_accuracy"][at] == means[best[1]]["test_accuracy"]
    assert max(v for v in repeat.values if v) > max(v for v in repeat.best if v) + 0.1


def test_the_clock_runs_by_the_seconds_of_the_training() -> None:
    repeat = run(Always(CELL), evaluations=30)
    steps = np.diff([0.0, *repeat.seconds])
    assert set(steps) == {10.0, 20.0, 30.0}


def test_workers_ask_for_the_same_at_the_same_time() -> None:
    repeat = run(Always(CELL), evaluations=12, workers=4)
    assert len(repeat) == 12 and repeat.proposals == 12


def test_a_proposal_must_be_valid() -> None:
    with pytest.raises(NasError, match="nas-bench-201"):
        run(Always(Architecture("nas-bench-201", (9,) * 6)), evaluations=2)


def test_protocols() -> None:
    assert require_protocol("counted") == "counted"
    with pytest.raises(NasError, match="Did you mean 'noise-free'"):
        require_protocol("noisefree")


# -- in a comparison ----------------------------------------------------------------------------


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.comparison.report.draw_regret", lambda *_: None)


def compared(out: str, **options: Any) -> Comparison:
    given: dict[str, Any] = {"strategies": ["random", "evolution"], "repeats": 2}
    return compare(
        ["noisy:toy"], evaluations=30, processes=1, out=out, progress=Silent(), **(given | options)
    )


@pytest.mark.usefixtures("no_figures")
def test_strategies_of_a_repeat_are_answered_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RandomSearch, "ask", lambda self, n: [CELL])
    alike = compared("out", strategies=["random"], repeats=2)
    first, second = alike.repeats
    assert first.values != second.values
    assert compared("again", strategies=["random"], repeats=2).repeats[0].values == first.values
    from nas.strategies.evolution import RegularizedEvolution

    monkeypatch.setattr(RegularizedEvolution, "ask", lambda self, n: [CELL])
    other = compared("other", strategies=["evolution"], repeats=1)
    assert other.repeats[0].values == first.values


@pytest.mark.usefixtures("no_figures")
def test_a_comparison_is_counted_unless_it_is_said() -> None:
    counted, free = compared("a"), compared("b", protocol="noise-free")
    assert (counted.protocol, free.protocol) == ("counted", "noise-free")
    assert any(r.values[-1] != r.best[-1] for r in counted.repeats)
    assert max(max(r.values) - r.best[-1] for r in counted.repeats) > 0.1  # type: ignore
    for repeat in free.repeats:
        assert max(repeat.values) == repeat.best[-1]  # type: ignore[type-var]
    with pytest.raises(NasError, match="protocol='noise-free', not 'counted'"):
        compared("b", protocol="counted")
    assert compared("b").protocol == "noise-free"  # what is continued stays what it is
    with pytest.raises(NasError, match="Did you mean 'counted'"):
        compared("c", protocol="count")
