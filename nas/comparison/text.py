"""A comparison as text: what was compared, one table a benchmark, one over all."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from nas.comparison.curves import BAND, Band
from nas.comparison.facts import Facts
from nas.comparison.protocol import COUNTED
from nas.comparison.simulate import Budget
from nas.comparison.summary import (
    OnBenchmark,
    Overall,
    Result,
    Spread,
    Summary,
    pair_test,
)
from nas.progress import duration

__all__ = ["aligned", "as_text", "budget_text", "number"]

_COUNTED = (
    "The best found is what had the best value in a query; its numbers are the means of all its "
    "trainings."
)
_REPORTED = (
    "The regret of what is reported is that of the same architecture from the best of that number "
    "in the table."
)
_HYPERVOLUME = (
    "Hypervolume is of what was found, each objective scaled by the table's Pareto front: 1 at its "
    "best, 0 at its worst, which is the reference."
)


def number(value: float, percent: bool, digits: int = 2) -> str:
    """Write a value: a share in percent, without the sign, or four figures of anything else."""
    return f"{100 * value:.{digits}f}" if percent else f"{value:.4g}"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return lines with columns under each other, the first left and the others right aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def budget_text(budget: Budget) -> str:
    """Write a budget, such as "150 evaluations"."""
    parts = []
    if budget.evaluations is not None:
        parts.append(f"{budget.evaluations:,} evaluations")
    if budget.seconds is not None:
        parts.append(f"{duration(budget.seconds)} simulated")
    workers = f", {budget.workers} asynchronous workers" if budget.workers > 1 else ""
    return " or ".join(parts) + workers


def as_text(summary: Summary) -> str:
    """Write a whole comparison for a person."""
    blocks = [_benchmark_block(summary, name) for name in summary.benchmarks]
    blocks.append(_legend(summary))
    if summary.overall is not None:
        blocks.append(_overall_block(summary.overall))
    failures = summary.comparison.failures
    if failures:
        lines = [f"  {job}: {failure.reason}" for job, failure in failures.items()]
        blocks.append("\n".join([f"{len(failures)} repeats failed:", *lines]))
    return "\n\n".join(blocks) + "\n"


# -- one benchmark ----------------------------------------------------------------------------


def _benchmark_block(summary: Summary, name: str) -> str:
    found, comparison = summary.benchmarks[name], summary.comparison
    facts = found.facts
    percent = facts.metric in facts.shares
    unit = " %" if percent else ""
    counts = sorted({result.regret.n for result in found.results.values()})
    repeats = f"{counts[0]} repeats" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} repeats"
    head = [
        f"{name}: {repeats} of {budget_text(comparison.budget)}, seed {comparison.seed}",
        f"  protocol: {comparison.protocol} ({_protocol(comparison.protocol, facts.trainings)})",
        *_initial(comparison.initial),
        *(f"  {line}" for line in facts.described),
        f"  {facts.architectures:,} architectures, optimum {number(facts.optimum, percent)}{unit}, "
        f"mean {number(facts.typical, percent)}{unit}",
    ]
    return "\n".join([*head, "", *aligned([_heading(found), *_rows(found)])])


def _protocol(name: str, trainings: int) -> str:
    """Say what a query is: where the table has one number only, it is that in any protocol."""
    several = trainings > 1
    if name == COUNTED:
        one = f"one of {trainings} trainings at random" if several else "the table's only number"
        return f"a query is {one}; all queries count"
    one = f"the mean of {trainings} trainings" if several else "the table's only number"
    return f"a query is {one}; what is proposed again is free"


def _initial(n: int) -> list[str]:
    if not n:
        return []
    return [f"  initial design: {n} random architectures, the same for all in a repeat; they count"]


def _heading(found: OnBenchmark) -> list[str]:
    facts = found.facts
    return [
        "strategy",
        f"best {_words(facts.label)}",
        *map(_words, facts.reported),
        "regret",
        f"95 % interval{_n(found)}",
        *([f"{_words(facts.reported[0])} regret"] if facts.reported else []),
        "median",
        "area",
        *(["evaluated"] if _some_ended_early(found) else []),
        "proposed",
        "rank",
        "p vs best",
    ]


def _n(found: OnBenchmark) -> str:
    """Return how many repeats there are, where there are as many of every strategy."""
    counts = {result.regret.n for result in found.results.values()}
    return f", n={counts.pop()}" if len(counts) == 1 else ""


def _some_ended_early(found: OnBenchmark) -> bool:
    return len({result.evaluations for result in found.results.values()}) > 1


def _words(metric: str) -> str:
    return metric.replace("_", " ")


def _rows(found: OnBenchmark) -> list[list[str]]:
    best = next(iter(found.results))
    return [_row(found, best, strategy, one) for strategy, one in found.results.items()]


def _row(found: OnBenchmark, best: str, strategy: str, result: Result) -> list[str]:
    facts = found.facts
    percent = facts.metric in facts.shares
    p = found.p_value(strategy, best)
    reported = [
        _spread(result.reported[name], name in facts.shares) if name in result.reported else "-"
        for name in facts.reported
    ]
    return [
        strategy,
        _spread(result.best, percent),
        *reported,
        number(result.regret.mean, percent, 3),
        _interval(result.mean, percent),
        *([_reported_regret(result, facts)] if facts.reported else []),
        number(result.regret.median, percent, 3),
        number(result.area.mean, percent, 3),
        *([f"{result.evaluations:,.0f}"] if _some_ended_early(found) else []),
        f"{result.proposals:,.0f}" if result.proposals else "-",
        f"{result.rank:g}",
        "" if p is None else _p(p),
    ]


def _interval(band: Band, percent: bool) -> str:
    low, high = band.low[-1], band.high[-1]
    return "-" if low != low else f"{number(low, percent, 3)} to {number(high, percent, 3)}"


def _reported_regret(result: Result, facts: Facts) -> str:
    """Write the regret of the first reported metric, with its interval."""
    metric = facts.reported[0]
    if metric not in result.reported_regrets:
        return "-"
    percent, mean = metric in facts.shares, result.reported_regrets[metric].mean()
    interval = _interval(mean, percent)
    text = number(mean.middle[-1], percent, 3)
    return text if interval == "-" else f"{text} ({interval})"


def _spread(spread: Spread, percent: bool) -> str:
    return f"{number(spread.mean, percent)} ± {number(spread.error, percent)}"


def _p(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else f"{p:.0e}"


def _legend(summary: Summary) -> str:
    facts = [found.facts for found in summary.benchmarks.values()]
    shares = any(one.metric in one.shares for one in facts)
    percent = "Accuracies are in percent, their regret in percentage points. " if shares else ""
    several = any(one.metric == "hypervolume" for one in facts)
    volume = f"{_HYPERVOLUME} " if several else ""
    of_reported = f"{_REPORTED} " if any(one.reported for one in facts) else ""
    drawn = summary.comparison.protocol == COUNTED and any(one.trainings > 1 for one in facts)
    counted = f"{_COUNTED} " if drawn else ""
    return textwrap.fill(
        f"{percent}{volume}\u00b1 is the standard error over n repeats. {counted}Regret is the "
        "distance of the best found from the table's optimum: its mean over repeats at the end, "
        f"with its interval ({BAND}; none of a single repeat), its median, and area: its mean over "
        f"the whole search (the area under the curve by its length). {of_reported}Proposed: how "
        "many architectures a strategy proposed in a repeat, those that were known already "
        f"included. Rank is by mean regret; p is of the {pair_test(summary.comparison)} of final "
        "regrets, two-sided, Holm-corrected over all pairs of strategies.",
        width=100,
    )


# -- several benchmarks -----------------------------------------------------------------------


def _overall_block(overall: Overall) -> str:
    rows = [["strategy", "average rank", "average score", "Nash average", "Nash weight"]]
    rows += [
        [
            strategy,
            f"{rank:.2f}",
            f"{overall.average[strategy]:.4f}",
            f"{overall.nash[strategy]:.4f}",
            f"{overall.shares[strategy]:.3f}",
        ]
        for strategy, rank in overall.ranks.items()
    ]
    weights = [["benchmark", "Nash weight"]]
    weights += [[name, f"{weight:.3f}"] for name, weight in overall.weights.items()]
    tests = f"critical difference of average ranks {overall.critical_difference:.2f} (Nemenyi, 5 %)"
    if overall.friedman is not None:
        tests = f"Friedman test p = {_p(overall.friedman)}; {tests}"
    head = textwrap.fill(
        f"over {len(overall.benchmarks)} benchmarks: a score is 1 at a table's optimum and 0 at "
        "its mean architecture. Nash averaging (Balduzzi et al., 2018) weighs the benchmarks as an "
        "opponent would who wants scores low, so that copies of a benchmark change nothing.",
        width=100,
    )
    return "\n".join([head, "", *aligned(rows), "", tests, "", *aligned(weights)])
