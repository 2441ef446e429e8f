"""What a comparison needs to know of a benchmark, beside its answers."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.benchmarks import Benchmark, Column
from nas.comparison.front import allowed, scale_of
from nas.errors import NasError, unknown
from nas.objective import Limit, Objective

__all__ = ["Facts", "facts_of", "objective_of", "reported_metrics"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Facts:
    """A benchmark in a comparison.

    Args:
        name: As it was asked for.
        metric: What is searched.
        label: The same with its split, such as "valid accuracy".
        maximise: Whether more of it is better.
        optimum: The best in the table.
        worst: The worst in the table: what a search has before its first success.
        typical: The mean over the table: what one architecture drawn at random has.
        reported: Metrics that are reported of what is found, and never seen by a search.
        shares: Which of these metrics are in [0, 1] and are shown in percent.
        described: Which columns of the table these are, in words.
        architectures: How many the table has.
        fingerprint: Changes when the table does.
        reported_ranges: The best and the worst of every reported metric; (0, 0) where the table
            has none of it.
        trainings: How many the table has of an architecture, at most, of the searched column.
    """

    name: str
    metric: str
    label: str
    maximise: bool
    optimum: float
    worst: float
    typical: float
    reported: tuple[str, ...]
    shares: tuple[str, ...]
    described: tuple[str, ...]
    architectures: int
    fingerprint: int
    reported_ranges: tuple[tuple[float, float], ...] = ()
    trainings: int = 1

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Facts:
        """Read what `to_json` gave, also after it was a JSON text."""
        lists = {name: tuple(data[name]) for name in ("reported", "shares", "described")}
        ranges = tuple((best, worst) for best, worst in data.get("reported_ranges", ()))
        return cls(**{**data, **lists, "reported_ranges": ranges})

    @property
    def identity(self) -> str:
        """Say in a line which numbers of which table these are."""
        parts = [*self.described, f"{self.architectures} architectures"]
        return f"{self.name} ({'; '.join(parts)}; contents {self.fingerprint:08x})"

    def range_of(self, reported: str) -> tuple[float, float]:
        """Return the best and the worst of a reported metric in the table."""
        return self.reported_ranges[self.reported.index(reported)]

    def regret(self, value: float) -> float:
        """Return how far a value is from the optimum; never below 0."""
        return abs(self.optimum - value)


def _is_share(column: Column) -> bool:
    return column.unit == "share" or (not column.unit and column.metric == "accuracy")


def objective_of(benchmark: Benchmark, text: str = "", limits: Sequence[Limit] = ()) -> Objective:
    """Return what a strategy is to search for.

    Args:
        benchmark: Whose table answers.
        text: Metrics with commas between them, with a minus where less is better; empty: what the
            benchmark's problem searches.
        limits: On metrics that a search may see.

    Raises:
        NasError: For a metric that the table does not have, or that only is reported.
    """
    usual = benchmark.metric if benchmark.maximise else f"-{benchmark.metric}"
    objective = Objective(text or usual, tuple(limits))
    hidden = reported_metrics(benchmark)
    for metric in objective.metrics:
        if metric in hidden:
            raise NasError(
                f"'{metric}' of {benchmark.name} is reported of what is found; a search must not "
                "see it"
            )
        if metric not in benchmark.metrics:
            searchable = [name for name in benchmark.metrics if name not in hidden]
            raise unknown(f"metric of {benchmark.name}", metric, searchable)
    return objective


def reported_metrics(benchmark: Benchmark) -> tuple[str, ...]:
    """Return the metrics that a search must not see."""
    columns = benchmark.problem.report
    named = benchmark.metrics.items()
    return tuple(m for m, column in named if column in columns and m != benchmark.metric)


def facts_of(name: str, benchmark: Benchmark, objective: Objective | None = None) -> Facts:
    """Collect what a comparison needs.

    Args:
        name: As it was asked for.
        benchmark: Opened by that name.
        objective: What is searched; None: what the benchmark's problem searches. Of several
            metrics the quality of what is found is their hypervolume, and nothing is reported.
    """
    objective = objective or objective_of(benchmark)
    several = len(objective.goals) > 1
    metric, maximise = ("hypervolume", True) if several else _searched(objective)
    values, optimum = _qualities(benchmark, objective)
    reported = () if several else reported_metrics(benchmark)
    return Facts(
        name,
        metric,
        _label(benchmark, objective),
        maximise,
        optimum,
        float(np.nanmin(values) if maximise else np.nanmax(values)),
        float(np.nanmean(values)),
        reported,
        tuple(m for m, c in benchmark.metrics.items() if _is_share(benchmark.table.columns[c])),
        tuple(_described(benchmark, objective)),
        len(benchmark.table),
        _fingerprint(benchmark, objective),
        tuple(_range(benchmark, metric, objective) for metric in reported),
        benchmark.table.columns[benchmark.problem.search].seeds,
    )


def _searched(objective: Objective) -> tuple[str, bool]:
    return objective.metric, objective.direction == "maximize"


def _qualities(benchmark: Benchmark, objective: Objective) -> tuple[Floats, float]:
    """Return how good each architecture is by itself, of those that count, and the best there is.

    The best by several metrics is a front.
    """
    rows = allowed(benchmark, objective)
    metric, maximise = _searched(objective)
    if len(objective.goals) == 1:
        values = benchmark.values(metric)[rows]
        return values, float(values.max() if maximise else values.min())
    scale = scale_of(benchmark, objective)
    scores = [g.sign * benchmark.values(g.metric)[rows] for g in objective.goals]
    scaled = scale.scaled(np.stack(scores, axis=1))
    return np.maximum(scaled, 0).prod(1), scale.optimum


def _label(benchmark: Benchmark, objective: Objective) -> str:
    if len(objective.goals) > 1:
        return "hypervolume"
    column = benchmark.table.columns[benchmark.metrics[objective.metric]]
    return f"{column.split} {objective.metric}".strip()


def _described(benchmark: Benchmark, objective: Objective) -> list[str]:
    searched, *reported = benchmark.describe()
    several = len(objective.goals) > 1
    if objective.text != objective_of(benchmark).text:
        columns = [benchmark.table.columns[benchmark.metrics[g.metric]] for g in objective.goals]
        words = "; ".join(column.describe() for column in columns)
        what = f"hypervolume of {', '.join(g.text for g in objective.goals)} ({words})"
        searched = f"searched on: {what if several else words}"
    limits = [f"limits: {', '.join(map(str, objective.limits))}"] if objective.limits else []
    return [searched, *([] if several else reported), *limits]


def _range(benchmark: Benchmark, metric: str, objective: Objective) -> tuple[float, float]:
    """Return the best and the worst of a metric, of the architectures that count."""
    values = benchmark.values(metric)[allowed(benchmark, objective)]
    if np.isnan(values).all():
        return 0.0, 0.0
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    maximise = benchmark.table.columns[benchmark.metrics[metric]].maximise
    return (high, low) if maximise else (low, high)


def _fingerprint(benchmark: Benchmark, objective: Objective) -> int:
    seconds = benchmark.problem.seconds
    timed = benchmark.table.values(seconds) if seconds else np.zeros(0)
    contents = zlib.crc32(np.ascontiguousarray(benchmark.table.choices).tobytes())
    others = [m for m in objective.metrics if m != benchmark.metric]
    for array in (benchmark.values(benchmark.metric), timed, *map(benchmark.values, others)):
        contents = zlib.crc32(array.tobytes(), contents)
    return contents
