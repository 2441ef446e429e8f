"""Candidates are looked up in a published table: an evaluation takes no time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nas import registry
from nas.benchmarks import Benchmark, installed, open_benchmark, open_table, readers
from nas.errors import NasError
from nas.evaluators.evaluator import Context, Evaluator
from nas.objective import Measurement
from nas.progress import Progress, Silent
from nas.settings import setting
from nas.space import Architecture, SearchSpace

__all__ = ["TableEvaluator", "TableSettings"]


@dataclass
class TableSettings:
    """Which numbers of which table."""

    benchmark: str = setting("", "NAME or NAME:PROBLEM; empty: one of the space (nas bench list)")
    search: str = setting("", "column that the search sees; empty: the problem's own")
    seed: int | None = setting(None, "which training of the searched column; none: their mean")


@registry.register("evaluators", "table", "looked up in a published table (nas bench list)")
class TableEvaluator(Evaluator):
    """Answer with what a benchmark's table says."""

    Settings = TableSettings
    uses_data = False
    argument = "benchmark"
    settings: TableSettings

    def __init__(self, context: Context, settings: TableSettings | None = None) -> None:
        super().__init__(context, settings or TableSettings())
        self.benchmark = _open(context.space, self.settings, context.progress)
        self.metrics = tuple(self.benchmark.metrics)
        self.cost_metrics = tuple(
            metric
            for metric, column in self.benchmark.metrics.items()
            if column in self.benchmark.problem.costs
        )

    @classmethod
    def require(cls, space: SearchSpace, settings: TableSettings) -> None:
        _open(space, settings, Silent())

    @property
    def at_once(self) -> int:
        return 1000

    @property
    def hidden_metrics(self) -> frozenset[str]:
        """What the problem reports of what a search finds, such as accuracy on test data."""
        named, problem = self.benchmark.metrics.items(), self.benchmark.problem
        return frozenset(m for m, c in named if c in problem.report and c != problem.search)

    def prepare(self) -> None:
        for line in [f"table {self.benchmark.name}", *self.benchmark.describe()]:
            self.context.progress.note(line)

    def costs(
        self, architectures: Sequence[Architecture], names: Sequence[str] | None = None
    ) -> list[dict[str, float]]:
        rows = self.benchmark.table.rows(self.context.space.to_array(architectures))
        chosen = [metric for metric in self.cost_metrics if names is None or metric in names]
        values = {metric: self.benchmark.values(metric)[rows] for metric in chosen}
        return [
            {metric: float(column[i]) for metric, column in values.items()}
            for i in range(len(rows))
        ]

    def evaluate(self, architecture: Architecture) -> dict[str, float]:
        [measurement] = self([architecture])
        if not measurement.ok:
            raise NasError(measurement.error)
        return measurement.metrics

    def __call__(self, architectures: Sequence[Architecture]) -> list[Measurement]:
        """Look architectures up; seconds are those that measuring took when the table was made."""
        return self.benchmark.measure_many(architectures)


def _open(space: SearchSpace, settings: TableSettings, progress: Progress) -> Benchmark:
    """Open the benchmark of the settings, or one of the space."""
    found = open_benchmark(settings.benchmark or _table_of(space.name), progress)
    if found.table.space_name != space.name:
        raise NasError(
            f"evaluator.benchmark={settings.benchmark}: its architectures are of space "
            f"'{found.table.space_name}', not '{space.name}'"
        )
    search = settings.search
    problem = found.problem.changed(search=search) if search else found.problem
    opened = Benchmark(found.table, problem, settings.seed)
    own, chosen = (found.table.columns[p.search] for p in (found.problem, problem))
    if chosen.split == "test" != own.split:
        raise NasError(
            f"evaluator.search={search}: it is measured on test data, which a search must not see; "
            f"take '{own.name}' ({own.describe()}), which is what is searched by default"
        )
    return opened


def _table_of(space: str) -> str:
    """Return the name of a table of the space; raises `NasError` where there is none."""
    names = [name for name in installed() if open_table(name).space_name == space]
    names += [name for name, reader in readers().items() if reader.built_in and name == space]
    if not names:
        raise NasError(
            f"no table of space '{space}' is at hand; import one with: nas bench import FILE "
            "(nas bench list says which there are)"
        )
    return names[0]
