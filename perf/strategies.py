"""What strategies cost by themselves: proposals from a table, where measuring takes no time."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from nas import registry
from nas.benchmarks.benchmark import Benchmark
from nas.benchmarks.home import open_benchmark
from nas.objective import Objective
from nas.run import Run
from nas.search.proposals import Proposals
from nas.strategies import Strategy
from perf.report import Column, Report
from perf.samplers import samplers_table
from perf.tables import NAME

COLUMNS = (
    Column("strategy", -17),
    Column("evaluations", 11),
    Column("in all", 9, "  seconds"),
    Column("median", 9, "ms a new proposal"),
    Column("last 50", 9),
    Column("ask+tell", 9, "ms a proposal"),
    Column("best", 7),
)
LONG = "bo-wl"
"""The strategy whose cost grows with what was observed: also measured at more evaluations."""


def strategies_table(evaluations: Sequence[int], repeats: int, report: Report) -> None:
    """Print what asking and telling take; then the same of Optuna's samplers, and Optuna's own.

    Args:
        evaluations: Budgets: the first for every strategy, the others for `LONG` alone.
        repeats: How often Optuna's samplers are timed.
        report: Where to.
    """
    title = f"Strategies: to ask, look up and tell on {NAME}, on one thread"
    notes = (
        "Proposals that were known already are part of the proposal that was new. ask+tell: what "
        "the strategy alone takes for each of all proposals."
    )
    report.table("strategies", title, COLUMNS, notes)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        names = [n for n, e in registry.names("strategies").items() if isinstance(e.factory, type)]
        benchmark = open_benchmark(NAME)
        for name in names:
            _measure(name, evaluations[0], benchmark, report)
        for n in evaluations[1:]:
            _measure(LONG, n, benchmark, report)
        _recorded(evaluations[0], benchmark, report)
    finally:
        torch.set_num_threads(threads)
    samplers_table(evaluations[0], repeats, report)


class _Timed:
    """Adds up what the methods of a strategy take.

    Args:
        strategy: Whose methods are replaced.
    """

    def __init__(self, strategy: Strategy) -> None:
        self.seconds, self._depth = 0.0, 0
        for name in ("ask", "tell", "remind"):
            setattr(strategy, name, self._timed(getattr(strategy, name)))

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            self._depth += 1  # one may call another
            start = time.perf_counter()
            try:
                return method(*arguments)
            finally:
                self._depth -= 1
                self.seconds += (time.perf_counter() - start) * (self._depth == 0)

        return timed


def _proposals(name: str, benchmark: Benchmark) -> Proposals:
    factory: Any = registry.get("strategies", name).factory
    settings = factory.Settings() if factory.Settings else None
    strategy = factory(benchmark.space, Objective(benchmark.metric), 0, settings)
    return Proposals(benchmark.space, strategy)


def _measure(name: str, evaluations: int, benchmark: Benchmark, report: Report) -> None:
    _searched(name, 20, benchmark)  # imports, and what is made at the first use
    with report.doing(f"{name}, {evaluations} evaluations"):
        times, own, best = _searched(name, evaluations, benchmark)
    _row(name, times, own, best, report)


def _searched(
    name: str, evaluations: int, benchmark: Benchmark
) -> tuple[list[float], float, float]:
    """Return the seconds of every new proposal, those of the strategy each, and the best found."""
    proposals = _proposals(name, benchmark)
    clock = _Timed(proposals.strategy)
    times, best = [], -np.inf
    for _ in range(evaluations):
        start = time.perf_counter()
        for architecture in proposals.ask(1):
            measurement = benchmark.measure(architecture)
            proposals.tell(architecture, measurement)
            best = max(best, measurement.metrics[benchmark.metric])
        times.append(time.perf_counter() - start)
    return times, clock.seconds / proposals.made, best


def _recorded(evaluations: int, benchmark: Benchmark, report: Report) -> None:
    """Measure one strategy whose every evaluation is written to a run."""
    proposals = _proposals("evolution", benchmark)
    clock = _Timed(proposals.strategy)
    task = {"input_shape": [1, 8, 8], "outputs": 2}
    config = {"space": benchmark.space.name, "objective": "accuracy", "settings": {}, "task": task}
    times, best = [], -np.inf
    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(Path(folder) / "run", config, benchmark.space)
        run.trials()
        for _ in range(evaluations):
            start = time.perf_counter()
            [architecture] = proposals.ask(1)
            measurement = benchmark.measure(architecture)
            run.record(architecture, measurement)
            proposals.tell(architecture, measurement)
            times.append(time.perf_counter() - start)
            best = max(best, measurement.metrics[benchmark.metric])
    _row("evolution, in run", times, clock.seconds / proposals.made, best, report)


def _row(name: str, times: list[float], own: float, best: float, report: Report) -> None:
    last = 1e3 * float(np.mean(times[-50:]))
    cells = [name, f"{len(times):,}", f"{sum(times):.3f}", f"{1e3 * median(times):.3f}"]
    cells += [f"{last:.3f}", f"{1e3 * own:.3f}", f"{best:.4f}"]
    record = {"strategy": name, "evaluations": len(times), "seconds": sum(times), "best": best}
    milliseconds = {"median_ms": 1e3 * median(times), "last_50_ms": last, "own_ms": 1e3 * own}
    report.row(cells, record | milliseconds)
