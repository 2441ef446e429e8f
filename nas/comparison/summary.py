"""All figures of a comparison: by strategy, by benchmark, and over several benchmarks."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from nas.comparison.curves import (
    BAND,
    MEDIAN_BAND,
    Axis,
    Band,
    Curves,
    axis_of,
    regret_curves,
)
from nas.comparison.facts import Facts
from nas.comparison.nash import nash_average
from nas.comparison.repeat import Repeat
from nas.comparison.results import Comparison
from nas.comparison.significance import (
    Pair,
    critical_difference,
    friedman,
    rank_sum_tests,
    signed_rank_tests,
)

__all__ = [
    "OnBenchmark",
    "Overall",
    "Result",
    "Spread",
    "Summary",
    "pair_test",
    "summarise",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Spread:
    """Repeats of one number.

    Args:
        mean: Of them.
        std: Standard deviation of the sample (n - 1); 0 for a single repeat.
        error: Standard error of the mean.
        median: Of them.
        n: How many.
    """

    mean: float
    std: float
    error: float
    median: float
    n: int

    @classmethod
    def of(cls, values: Floats) -> Spread:
        """Describe values [n]; at least one."""
        std = float(values.std(ddof=1)) if len(values) > 1 else 0.0
        error = std / len(values) ** 0.5
        return cls(float(values.mean()), std, error, float(np.median(values)), len(values))


@dataclass(frozen=True)
class Result:
    """One strategy on one benchmark.

    Args:
        best: What was searched, of what was found at the end.
        reported: Metric -> the same architecture's; only repeats for which the table has it.
        reported_regrets: Metric -> its regret: the distance from the best of this metric in the
            table, of the same repeats.
        regret: Distance of `best` from the optimum.
        area: Mean regret over the whole search: the area under its curve, by the axis' length.
        curves: The regret of every repeat.
        mean: Their mean, with its band.
        median: Their median, with its band.
        rank: By mean final regret, from 1; equals share the mean of their ranks.
        evaluations: Made by a repeat, on average.
        proposals: Made by the strategy in a repeat, on average; 0 where it was not recorded.
    """

    best: Spread
    reported: dict[str, Spread]
    reported_regrets: dict[str, Curves]
    regret: Spread
    area: Spread
    curves: Curves
    mean: Band
    median: Band
    rank: float
    evaluations: float
    proposals: float


@dataclass(frozen=True)
class OnBenchmark:
    """All strategies on one benchmark, the best first.

    Args:
        facts: Of the benchmark.
        axis: Of the curves.
        results: By strategy.
        pairs: Tests of the final regret of every two strategies.
    """

    facts: Facts
    axis: Axis
    results: dict[str, Result]
    pairs: list[Pair]

    def p_value(self, a: str, b: str) -> float | None:
        """Return the corrected p-value of two strategies; None for one and the same."""
        found = [pair.corrected for pair in self.pairs if {pair.a, pair.b} == {a, b}]
        return found[0] if found else None


@dataclass(frozen=True)
class Overall:
    """Strategies over several benchmarks.

    A score is 1 at a table's optimum and 0 at its mean architecture, so that benchmarks are on one
    scale.

    Args:
        benchmarks: The benchmarks.
        ranks: Strategy -> average of its ranks; the best first.
        average: Strategy -> plain average of its scores.
        nash: Strategy -> its scores averaged by the benchmarks' Nash weights.
        weights: Benchmark -> its Nash weight.
        shares: Strategy -> its own weight in the equilibrium.
        friedman: p-value that all rank alike; None for fewer than 3 strategies.
        critical_difference: Of average ranks, at the 5 % level.
        pairs: Signed-rank tests of the scores of every two strategies.
    """

    benchmarks: list[str]
    ranks: dict[str, float]
    average: dict[str, float]
    nash: dict[str, float]
    weights: dict[str, float]
    shares: dict[str, float]
    friedman: float | None
    critical_difference: float
    pairs: list[Pair]


@dataclass(frozen=True)
class Summary:
    """All figures of a comparison; `overall` is None for a single benchmark or strategy."""

    comparison: Comparison
    benchmarks: dict[str, OnBenchmark]
    overall: Overall | None

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        comparison = self.comparison
        return {
            "seed": comparison.seed,
            "protocol": comparison.protocol,
            "budget": dataclasses.asdict(comparison.budget),
            "strategies": comparison.strategies,
            "initial": comparison.initial,
            "bands": {"mean": BAND, "median": MEDIAN_BAND},
            "tests": f"{pair_test(comparison)} within a benchmark, Wilcoxon signed-rank of mean "
            "scores over several; two-sided, Holm-corrected over all pairs",
            "benchmarks": {name: _benchmark_json(one) for name, one in self.benchmarks.items()},
            "overall": None if self.overall is None else dataclasses.asdict(self.overall),
            "failures": {job: failure.reason for job, failure in comparison.failures.items()},
        }


def pair_test(comparison: Comparison) -> str:
    """Say which test compares two strategies on one benchmark."""
    if comparison.initial:
        return "Wilcoxon signed-rank test (paired by repeat)"
    return "Mann-Whitney U test"


def summarise(comparison: Comparison) -> Summary:
    """Compute all figures; strategies without a finished repeat on a benchmark are left out."""
    benchmarks = {name: _on_benchmark(comparison, name) for name in comparison.facts}
    benchmarks = {name: found for name, found in benchmarks.items() if found.results}
    return Summary(comparison, benchmarks, _overall(benchmarks, comparison.strategies))


# -- one benchmark ----------------------------------------------------------------------------


def _on_benchmark(comparison: Comparison, name: str) -> OnBenchmark:
    facts = comparison.facts[name]
    repeats = {s: comparison.of(name, s) for s in comparison.strategies}
    repeats = {s: found for s, found in repeats.items() if found}
    axis = axis_of([r for found in repeats.values() for r in found], comparison.budget)
    curves = {s: regret_curves(found, facts, axis) for s, found in repeats.items()}
    finals = {s: one.final for s, one in curves.items()}
    ranks = _ranks([final.mean() for final in finals.values()])
    results = {
        s: _result(repeats[s], curves[s], facts, axis, rank)
        for s, rank in zip(curves, ranks, strict=True)
    }
    ordered = dict(sorted(results.items(), key=lambda item: item[1].regret.mean))
    if not comparison.initial:
        return OnBenchmark(facts, axis, ordered, rank_sum_tests(finals))
    by_repeat = {
        s: {r.repeat: float(final) for r, final in zip(repeats[s], finals[s], strict=True)}
        for s in finals
    }
    return OnBenchmark(facts, axis, ordered, signed_rank_tests(by_repeat))


def _ranks(regrets: list[float]) -> list[float]:
    """Rank from the lowest; what differs by rounding alone is equal."""
    return [float(rank) for rank in rankdata(np.round(regrets, 12))]


def _result(repeats: list[Repeat], curves: Curves, facts: Facts, axis: Axis, rank: float) -> Result:
    sign = -1 if facts.maximise else 1
    having = {m: [r for r in repeats if _last(r.reported[m]) is not None] for m in facts.reported}
    having = {metric: some for metric, some in having.items() if some}
    return Result(
        Spread.of(facts.optimum + sign * curves.final),
        {m: Spread.of(np.array([r.reported[m][-1] for r in some])) for m, some in having.items()},
        {m: regret_curves(some, facts, axis, m) for m, some in having.items()},
        Spread.of(curves.final),
        Spread.of(curves.areas),
        curves,
        curves.mean(),
        curves.median(),
        rank,
        float(np.mean([len(repeat) for repeat in repeats])),
        float(np.mean([r.proposals for r in repeats if r.proposals] or [0])),
    )


def _last(values: list[float | None]) -> float | None:
    return values[-1] if values else None


def _benchmark_json(found: OnBenchmark) -> dict[str, Any]:
    return {
        "facts": found.facts.to_json(),
        "axis": {"kind": found.axis.kind, "points": found.axis.points.tolist()},
        "results": {strategy: _result_json(one) for strategy, one in found.results.items()},
        "pairs": [dataclasses.asdict(pair) for pair in found.pairs],
    }


def _result_json(result: Result) -> dict[str, Any]:
    return {
        "best": dataclasses.asdict(result.best),
        "reported": {name: dataclasses.asdict(one) for name, one in result.reported.items()},
        "reported_regret": {m: _regret_json(one) for m, one in result.reported_regrets.items()},
        "regret": dataclasses.asdict(result.regret),
        "area_under_regret": dataclasses.asdict(result.area),
        "rank": result.rank,
        "evaluations": result.evaluations,
        "proposals": result.proposals or None,
        "final_regrets": result.curves.final.tolist(),
        "mean_regret": _band_json(result.mean),
        "median_regret": _band_json(result.median),
    }


def _regret_json(curves: Curves) -> dict[str, Any]:
    """Write the regret of a reported metric: at the end, with its interval, and all along."""
    mean, final = curves.mean(), dataclasses.asdict(Spread.of(curves.final))
    band = _band_json(mean)
    ends = {"low": band["low"][-1], "high": band["high"][-1]}
    return {**final, **ends, "final_regrets": curves.final.tolist(), "mean_regret": band}


def _band_json(band: Band) -> dict[str, list[float | None]]:
    """Write a band; what there is no interval for is None."""
    return {
        name: [None if np.isnan(value) else value for value in getattr(band, name).tolist()]
        for name in ("middle", "low", "high")
    }


# -- several benchmarks -----------------------------------------------------------------------


def _overall(benchmarks: Mapping[str, OnBenchmark], strategies: list[str]) -> Overall | None:
    """Compare the strategies that have results on every benchmark."""
    present = [s for s in strategies if all(s in one.results for one in benchmarks.values())]
    if len(benchmarks) < 2 or len(present) < 2:
        return None
    regrets = np.array(
        [[one.results[s].regret.mean for s in present] for one in benchmarks.values()]
    )
    ranks = np.array([_ranks(row) for row in regrets.tolist()])
    scales = np.array([abs(o.facts.optimum - o.facts.typical) for o in benchmarks.values()])
    scores = (1 - regrets / np.where(scales > 0, scales, 1.0)[:, None]).T
    nash = nash_average(scores)
    names = list(benchmarks)
    order = sorted(range(len(present)), key=lambda at: ranks[:, at].mean())

    def by_strategy(values: Floats) -> dict[str, float]:
        return {present[at]: float(values[at]) for at in order}

    return Overall(
        names,
        by_strategy(ranks.mean(0)),
        by_strategy(scores.mean(1)),
        by_strategy(nash.scores),
        {name: float(weight) for name, weight in zip(names, nash.tasks, strict=True)},
        by_strategy(nash.strategies),
        friedman(ranks) if len(present) > 2 else None,
        critical_difference(len(present), len(names)),
        signed_rank_tests(
            {
                s: dict(zip(names, (-scores[at]).tolist(), strict=True))
                for at, s in enumerate(present)
            }
        ),
    )
