"""A table and one of its problems: what an evaluator answers with, instantly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nas.benchmarks.columns import Problem
from nas.benchmarks.table import ABSENT, Table
from nas.objective import Measurement
from nas.space import Architecture, SearchSpace

__all__ = ["Benchmark"]


class Benchmark:
    """Measures architectures by looking them up.

    A measurement has the searched column under its metric's name ("accuracy"), the reported ones
    with their split ("test_accuracy"), costs ("params"), and as seconds what measuring took when
    the table was made.

    Args:
        table: Where to look.
        problem: Which columns.
        seed: Which training of the searched column; None: the mean over all.
    """

    def __init__(self, table: Table, problem: Problem, seed: int | None = None) -> None:
        problem.require(table.columns, table.benchmark)
        self.table, self.problem, self.seed = table, problem, seed
        table.values(problem.search, np.zeros(1, np.int64), seed)  # refuses a seed it lacks

    def __repr__(self) -> str:
        return f"Benchmark({self.name!r})"

    @property
    def name(self) -> str:
        """`TABLE:PROBLEM`."""
        return f"{self.table.benchmark}:{self.problem.name}"

    @property
    def space(self) -> SearchSpace:
        """The search space of the table."""
        return self.table.space

    @cached_property
    def metrics(self) -> dict[str, str]:
        """Name in a measurement -> name of the column."""
        columns = self.table.columns
        named = {columns[self.problem.search].metric: self.problem.search}
        for name in (*self.problem.report, *self.problem.costs):
            column = columns[name]
            short = f"{column.split}_{column.metric}" if column.split else column.metric
            named[name if short in named else short] = name
        return named

    @property
    def metric(self) -> str:
        """Name of what is searched."""
        return self.table.columns[self.problem.search].metric

    @property
    def maximise(self) -> bool:
        """Whether more of it is better."""
        return self.table.columns[self.problem.search].maximise

    def describe(self) -> list[str]:
        """Say which numbers a search sees and which are reported of what it finds."""
        columns = self.table.columns
        lines = [f"searched on: {columns[self.problem.search].describe(self.seed)}"]
        lines += [f"reported: {columns[name].describe()}" for name in self.problem.report]
        return lines

    @cached_property
    def _values(self) -> dict[str, NDArray[np.float64]]:
        seeds = {self.metric: self.seed}  # what is reported is the mean, of the same column too
        return {
            metric: self.table.values(column, seed=seeds.get(metric))
            for metric, column in self.metrics.items()
        }

    @cached_property
    def _seconds(self) -> NDArray[np.float64]:
        if not self.problem.seconds:
            return np.zeros(len(self.table))
        return np.nan_to_num(self.table.values(self.problem.seconds))

    def values(self, metric: str) -> NDArray[np.float64]:
        """Return a metric of all architectures of the table, [n], in the table's order."""
        return self._values[metric]

    @cached_property
    def optimum(self) -> float:
        """The best there is of what is searched."""
        values = self.values(self.metric)
        return float(np.nanmax(values) if self.maximise else np.nanmin(values))

    def measure(self, architecture: Architecture, training: int | None = None) -> Measurement:
        """Return what the table says of one architecture; failed where it says nothing.

        Args:
            architecture: Which.
            training: One of its `trainings`, whose value of the searched column, and whose seconds
                where they were recorded, are taken; None: the means.
        """
        row = self.table.row(architecture)
        found = self._measurement(row)
        if training is None or not found.ok:
            return found
        one = self._of_training(self.problem.search, row, training)
        took = self._of_training(self.problem.seconds, row, training)
        metrics = found.metrics if one is None else found.metrics | {self.metric: one}
        return Measurement(metrics, found.seconds if took is None else took)

    def trainings(self, architecture: Architecture) -> list[int]:
        """Return which trainings of the searched column an architecture has, by their numbers."""
        row = self.table.row(architecture)
        if row == ABSENT:
            return []
        values = np.atleast_1d(self.table.column(self.problem.search)[row])
        there = np.flatnonzero(np.isfinite(values)).tolist()
        return there if self.seed is None else [self.seed] * (self.seed in there)

    def _of_training(self, column: str, row: int, training: int) -> float | None:
        """Return a number of one training; None where the column has none of its own."""
        values = self.table.column(column)[row] if column else np.zeros(())
        if np.shape(values) != (self.table.columns[self.problem.search].seeds,):
            return None
        return float(values[training]) if math.isfinite(values[training]) else None

    def measure_many(self, architectures: Sequence[Architecture]) -> list[Measurement]:
        """Return what the table says of each."""
        rows = self.table.rows(self.space.to_array(architectures))
        return [self._measurement(row) for row in rows.tolist()]

    def _measurement(self, row: int) -> Measurement:
        if row == ABSENT:
            return Measurement(error=f"{self.table.benchmark} does not have this architecture")
        metrics = {name: float(values[row]) for name, values in self._values.items()}
        metrics = {name: value for name, value in metrics.items() if math.isfinite(value)}
        if self.metric not in metrics:
            return Measurement(error=f"{self.name} has no {self.metric} of this architecture")
        return Measurement(metrics, float(self._seconds[row]))
