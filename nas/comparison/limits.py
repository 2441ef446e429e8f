"""The space of a search on a table under limits, as a search without a table has it."""

from __future__ import annotations

from collections.abc import Sequence

from nas.benchmarks import Benchmark
from nas.errors import NasError
from nas.objective import Objective
from nas.search import LimitedSpace
from nas.space import Architecture, SearchSpace

__all__ = ["require_constant", "space_of"]


def space_of(benchmark: Benchmark, objective: Objective) -> SearchSpace:
    """Return the space in which strategies search.

    What breaks a limit on a cost, which is known beforehand, is not in it: no strategy proposes it.

    Args:
        benchmark: Whose table.
        objective: With its limits.
    """
    costs = {m for m, column in benchmark.metrics.items() if column in benchmark.problem.costs}
    limits = [limit for limit in objective.limits if limit.metric in costs]
    if not limits:
        return benchmark.space

    def told(architectures: Sequence[Architecture]) -> list[dict[str, float]]:
        found = benchmark.measure_many(architectures)
        failed = [measurement.error for measurement in found if not measurement.ok]
        if failed:
            raise NasError(failed[0])
        return [measurement.metrics for measurement in found]

    return LimitedSpace(benchmark.space, limits, told)


def require_constant(benchmark: Benchmark, objective: Objective) -> None:
    """Refuse limits on a metric that is another one in each training.

    Of such, what is found by one training may not keep them on the average.
    """
    column = benchmark.table.columns[benchmark.problem.search]
    for limit in objective.limits:
        if limit.metric == benchmark.metric and column.seeds > 1:
            raise NasError(
                f"limit '{limit}': '{limit.metric}' of {benchmark.name} differs between trainings; "
                "take --protocol noise-free, or a limit on a cost"
            )
