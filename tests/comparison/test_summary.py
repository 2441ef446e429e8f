"""Figures of comparisons."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import wilcoxon

from nas.comparison.facts import Facts
from nas.comparison.pool import Failure
from nas.comparison.repeat import Repeat
from nas.comparison.results import Comparison
from nas.comparison.simulate import Budget
from nas.comparison.summary import Spread, summarise


def facts(name: str, optimum: float = 1.0) -> Facts:
    shares = ("accuracy", "test_accuracy")
    described = ("searched on: valid accuracy", "reported: test accuracy")
    return Facts(
        name, "accuracy", "valid accuracy", True, optimum, 0.0, 0.5, ("test_accuracy",), shares,
        described, 9, 1, ((0.9, 0.1),),
    )  # fmt: skip


def repeat(benchmark: str, strategy: str, number: int, *best: float) -> Repeat:
    n, values = len(best), list(best)
    tests: list[float | None] = [value - 0.1 for value in best]
    return Repeat(
        benchmark, strategy, number, 0, [[0]] * n, list(values), [1.0] * n, list(values),
        {"test_accuracy": tests},
    )  # fmt: skip


def comparison(ends: dict[str, dict[str, list[float]]]) -> Comparison:
    """Make one of the final values: benchmark -> strategy -> one a repeat."""
    repeats = [
        repeat(benchmark, strategy, number, 0.5, value)
        for benchmark, strategies in ends.items()
        for strategy, values in strategies.items()
        for number, value in enumerate(values)
    ]
    names = list(next(iter(ends.values())))
    made = {name: facts(name) for name in ends}
    return Comparison(Path(), made, names, Budget(2), 0, repeats)


def test_one_benchmark() -> None:
    found = summarise(comparison({"x": {"a": [0.7, 0.8, 0.9], "b": [0.9, 0.95, 1.0]}}))
    on = found.benchmarks["x"]
    assert list(on.results) == ["b", "a"] and found.overall is None
    a = on.results["a"]
    assert a.best.mean == pytest.approx(0.8) and a.best.std == pytest.approx(0.1)
    assert a.best.error == pytest.approx(0.1 / 3**0.5) and a.best.n == 3
    assert a.reported["test_accuracy"].mean == pytest.approx(0.7)
    assert a.reported_regrets["test_accuracy"].final.tolist() == pytest.approx([0.3, 0.2, 0.1])
    assert a.regret.median == pytest.approx(0.2) and a.area.mean == pytest.approx(0.35)
    assert (a.rank, on.results["b"].rank) == (2, 1)
    assert on.p_value("a", "b") == on.pairs[0].corrected and on.p_value("a", "a") is None


def test_equal_strategies_share_a_rank() -> None:
    found = summarise(comparison({"x": {"a": [0.7], "b": [0.7], "c": [0.6]}}))
    ranks = {name: result.rank for name, result in found.benchmarks["x"].results.items()}
    assert ranks == {"a": 1.5, "b": 1.5, "c": 3.0}


def test_several_benchmarks() -> None:
    ends = {
        "x": {"a": [0.9, 0.9], "b": [0.8, 0.8], "c": [0.7, 0.7]},
        "y": {"a": [0.9, 0.9], "b": [0.95, 0.95], "c": [0.6, 0.6]},
    }
    overall = summarise(comparison(ends)).overall
    assert overall is not None
    assert overall.ranks == {"a": 1.5, "b": 1.5, "c": 3.0}
    assert overall.average == pytest.approx({"a": 0.8, "b": 0.75, "c": 0.3})
    assert sum(overall.weights.values()) == pytest.approx(1)
    scores = {"a": (0.8, 0.8), "b": (0.6, 0.9), "c": (0.4, 0.2)}
    for name, (x, y) in scores.items():
        weighed = overall.weights["x"] * x + overall.weights["y"] * y
        assert overall.nash[name] == pytest.approx(weighed)
    assert overall.friedman is not None and overall.friedman > 0.05
    assert len(overall.pairs) == 3


def test_strategies_without_results_are_left_out() -> None:
    made = comparison({"x": {"a": [0.7], "b": [0.7]}, "y": {"a": [0.7], "b": [0.8]}})
    made.repeats = [r for r in made.repeats if r.key[:2] != ("y", "b")]
    made.failures["b on y, repeat 0"] = Failure("no")
    found = summarise(made)
    assert list(found.benchmarks["y"].results) == ["a"] and found.overall is None
    made.repeats = [r for r in made.repeats if r.benchmark == "x"]
    assert list(summarise(made).benchmarks) == ["x"]


def test_repeats_that_found_nothing_count_as_the_worst() -> None:
    made = comparison({"x": {"a": [0.7, 0.7]}})
    made.repeats[1] = Repeat("x", "a", 1, 0, reported={"test_accuracy": []})
    result = summarise(made).benchmarks["x"].results["a"]
    assert result.regret.mean == pytest.approx((0.3 + 1.0) / 2)
    assert result.reported["test_accuracy"].n == 1


def test_everything_is_plain_json() -> None:
    made = comparison({"x": {"a": [0.9], "b": [0.8]}, "y": {"a": [0.9], "b": [0.7]}})
    made.failures["c on y"] = Failure("why", "traceback")
    plain = json.loads(json.dumps(summarise(made).to_json(), allow_nan=False))
    found = plain["benchmarks"]["x"]["results"]["a"]
    assert found["final_regrets"] == pytest.approx([0.1])
    assert found["reported_regret"]["test_accuracy"]["mean"] == pytest.approx(0.1)
    assert found["reported_regret"]["test_accuracy"]["low"] is None  # of a single repeat
    assert found["mean_regret"]["middle"] == pytest.approx([0.5, 0.1])
    assert plain["benchmarks"]["x"]["facts"]["described"][1] == "reported: test accuracy"
    assert plain["failures"] == {"c on y": "why"} and plain["overall"]["ranks"]["a"] == 1


def test_spread() -> None:
    assert Spread.of(np.array([2.0])) == Spread(2.0, 0.0, 0.0, 2.0, 1)


def test_benchmarks_are_alike_in_tests_over_them() -> None:
    """A difference in a unit of thousands is not thousands of times as large.

    b is better by .1 of the scale on five tables in [0, 1], and worse by .01 on one in thousands.
    """
    ends = {f"x{n}": {"a": [0.5 + n / 100], "b": [0.6 + n / 90]} for n in range(5)}
    made = comparison({**ends, "y": {"a": [900.0], "b": [895.0]}})
    made.facts["y"] = dataclasses.replace(facts("y", 1000.0), typical=500.0)
    overall = summarise(made).overall
    assert overall is not None
    raw = [[0.1 + n / 90 - n / 100 for n in range(5)] + [-5.0], [0.0] * 6]
    scaled = [[2 * d for d in raw[0][:5]] + [-0.01], [0.0] * 6]
    assert overall.pairs[0].p == pytest.approx(wilcoxon(*scaled).pvalue)
    assert overall.pairs[0].p < wilcoxon(*raw).pvalue
    assert overall.pairs[0].superiority == pytest.approx(1 / 6)


def test_repeats_are_paired_by_their_numbers() -> None:
    ends = {"a": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], "b": [0.15, 0.25, 0.35, 0.45, 0.55, 0.65]}
    made = comparison({"x": ends})
    [apart] = summarise(made).benchmarks["x"].pairs
    made.initial = 1
    made.repeats = [*reversed(made.repeats)]
    [paired] = summarise(made).benchmarks["x"].pairs
    assert apart.p > 0.5 and paired.p == pytest.approx(2 / 2**6)
