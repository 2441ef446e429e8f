"""What a comparison needs to know of a benchmark, beside its answers."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nas.benchmarks import Benchmark, Column
from nas.objective import Objective

__all__ = ["Facts", "facts_of", "objective_of", "reported_metrics"]


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

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Facts:
        """Read what `to_json` gave, also after it was a JSON text."""
        lists = {name: tuple(data[name]) for name in ("reported", "shares", "described")}
        return cls(**{**data, **lists})

    @property
    def identity(self) -> str:
        """Say in a line which numbers of which table these are."""
        parts = [*self.described, f"{self.architectures} architectures"]
        return f"{self.name} ({'; '.join(parts)}; contents {self.fingerprint:08x})"

    def regret(self, value: float) -> float:
        """Return how far a value is from the optimum; never below 0."""
        return abs(self.optimum - value)


def _is_share(column: Column) -> bool:
    return column.unit == "share" or (not column.unit and column.metric == "accuracy")


def objective_of(benchmark: Benchmark) -> Objective:
    """Return what a strategy is to search for."""
    return Objective(benchmark.metric if benchmark.maximise else f"-{benchmark.metric}")


def reported_metrics(benchmark: Benchmark) -> tuple[str, ...]:
    """Return the metrics that a search must not see."""
    columns = benchmark.problem.report
    named = benchmark.metrics.items()
    return tuple(m for m, column in named if column in columns and m != benchmark.metric)


def facts_of(name: str, benchmark: Benchmark) -> Facts:
    """Collect what a comparison needs.

    Args:
        name: As it was asked for.
        benchmark: Opened by that name.
    """
    values = benchmark.values(benchmark.metric)
    seconds = benchmark.problem.seconds
    timed = benchmark.table.values(seconds) if seconds else np.zeros(0)
    contents = zlib.crc32(np.ascontiguousarray(benchmark.table.choices).tobytes())
    for array in (values, timed):
        contents = zlib.crc32(array.tobytes(), contents)
    return Facts(
        name,
        benchmark.metric,
        f"{benchmark.table.columns[benchmark.problem.search].split} {benchmark.metric}".strip(),
        benchmark.maximise,
        benchmark.optimum,
        float(np.nanmin(values) if benchmark.maximise else np.nanmax(values)),
        float(np.nanmean(values)),
        reported_metrics(benchmark),
        tuple(m for m, c in benchmark.metrics.items() if _is_share(benchmark.table.columns[c])),
        tuple(benchmark.describe()),
        len(benchmark.table),
        contents,
    )
