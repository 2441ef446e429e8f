"""Published tables: how soon one is open, and how fast architectures are looked up."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.benchmarks.benchmark import Benchmark
from nas.benchmarks.home import open_benchmark
from nas.benchmarks.table import Table
from nas.search_spaces.nas_bench_graph import NASBenchGraph
from nas.space import Choices
from perf.report import Column, Report

NAME = "nas-bench-graph:cora"
COLUMNS = (
    Column("what", -44),
    Column("theirs", 11, " milliseconds"),
    Column("ours", 9),
    Column("faster", 8),
)


def tables_table(lookups: int, repeats: int, report: Report) -> None:
    """Print a row for opening a table, and one for looking architectures up in it."""
    title = "Tables: NAS-Bench-Graph through its own package, and as a table of ours"
    notes = (
        f"Medians of {repeats} repeats. Theirs: the files are read whole, and architectures looked "
        "up one by one, each by its hash. Both give the same numbers."
    )
    report.table("tables", title, COLUMNS, notes)
    path = open_benchmark(NAME).table.path  # made now, if this is the first time
    ours = Benchmark(Table(path), Table(path).problems["cora"])
    _opening(path, repeats, report)
    space = NASBenchGraph()
    drawn = space.sample_choices(np.random.default_rng(0), lookups)
    _looking_up(ours, drawn, repeats, report)


def _opening(path: Any, repeats: int, report: Report) -> None:
    from nas_bench_graph import light_read

    times = {
        "theirs": _milliseconds(lambda: light_read("cora"), repeats),
        "ours": _milliseconds(lambda: Table(path), repeats),
    }
    tracemalloc.start()
    table = Table(path)
    table.rows(table.choices[:1].astype(np.int64))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    what = f"open ({len(table):,} architectures; ours: {held / 2**20:.1f} MiB)"
    _row(what, times, report, {"bytes": held})


def _looking_up(ours: Benchmark, drawn: Choices, repeats: int, report: Report) -> None:
    from nas_bench_graph import Arch, light_read

    table, space = light_read("cora"), NASBenchGraph()
    drawn_one_by_one = space.from_array(drawn)
    specifications = [(space.links(a), space.operations(a)) for a in drawn_one_by_one]

    def theirs() -> list[float]:
        return [table[Arch(list(x), list(y)).valid_hash()]["valid_perf"] for x, y in specifications]

    def vectorised() -> NDArray[np.float64]:
        return ours.values(ours.metric)[ours.table.rows(drawn)]

    agree = np.allclose(theirs(), vectorised(), atol=1e-6)
    times = {
        "theirs": _milliseconds(theirs, repeats),
        "ours": _milliseconds(vectorised, repeats),
    }
    problem = "" if agree else "MISMATCH: the tables say different things"
    _row(f"look up {len(drawn):,} architectures", times, report, {}, problem)


def _milliseconds(work: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    return median(times)


def _row(
    what: str, times: dict[str, float], report: Report, more: dict[str, Any], problem: str = ""
) -> None:
    faster = times["theirs"] / times["ours"]
    cells = [what, f"{times['theirs']:,.1f}", f"{times['ours']:,.2f}", f"{faster:,.0f}x"]
    record = {"what": what, "milliseconds": times, "times_faster": faster, **more}
    report.row(cells, record, problem)
