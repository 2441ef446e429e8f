"""What benchmarks there are, and what one of them says."""

from __future__ import annotations

from typing import Any

import numpy as np

from nas import registry
from nas.benchmarks import Benchmark, Table, installed, open_table, readers
from nas.errors import NasError
from nas.progress import Progress

__all__ = ["benchmark_info", "list_benchmarks"]

Entry = dict[str, Any]


def list_benchmarks() -> list[Entry]:
    """Return all benchmarks: tables that are at hand or built in, and what can be imported."""
    tables, known, entries = installed(), readers(), []
    for name, entry in registry.names("benchmarks").items():
        line: Entry = {"name": name, "summary": entry.summary}
        if entry.paper:
            line["paper"] = entry.paper
        if name in tables:
            line |= _at_hand(name)
        elif known[name].makes in tables:
            line["status"] = f"at hand as {known[name].makes}, of these files or of others"
        elif known[name].built_in:
            line["status"] = "built in; its table is made at the first use"
        else:
            line["status"] = "to be imported with: nas bench import FILE"
        entries.append(line | {"files": known[name].files})
    own = [_own(name) for name in tables if name not in known]
    return sorted([*entries, *own], key=lambda line: (not _is_ready(line), line["name"]))


def _own(name: str) -> Entry:
    """Describe a table whose name is no reader's: built here, or of a file that gives a name."""
    line = _at_hand(name)
    return {"name": name, "summary": line.pop("source", "")} | line


def _is_ready(line: Entry) -> bool:
    return str(line["status"]).startswith(("at hand", "built in"))


def _at_hand(name: str) -> Entry:
    try:
        table = open_table(name)
    except NasError as error:
        return {"status": f"damaged: {error}"}
    size = f"{table.path.stat().st_size / 1e6:.1f} MB"
    return {
        "status": f"at hand: {len(table):,} architectures of space {table.space_name}, {size}",
        "problems": ", ".join(table.problems),
        "source": table.source,
    }


def benchmark_info(name: str, progress: Progress | None = None) -> Entry:
    """Return all about one table; its contents are compared with their checksums.

    Args:
        name: Of a table, or a file that ends in `.table`.
        progress: Where to report, for a table that is made at its first use.

    Raises:
        NasError: If there is none, or its contents were altered.
    """
    table = open_table(name, progress)
    table.verify()
    entry: Entry = {"name": table.benchmark, "summary": table.source}
    entry["file"] = f"{table.path} ({table.path.stat().st_size / 1e6:.1f} MB, checksums verified)"
    entry["space"] = table.space_name
    entry["architectures"] = f"{len(table):,} of {table.space.size:,}"
    entry |= {key: str(value) for key, value in table.facts.items()}
    entry["problems"] = [line for problem in table.problems for line in _problem(table, problem)]
    entry["columns"] = [
        f"{column.name}: {column.describe()}{_coverage(table, column.name)}"
        for column in table.columns.values()
    ]
    return entry


def _problem(table: Table, name: str) -> list[str]:
    problem = table.problems[name]
    benchmark = Benchmark(table, problem)
    values = benchmark.values(benchmark.metric)
    best = np.nanargmax(values) if benchmark.maximise else np.nanargmin(values)
    architecture = table.space.format(table.architecture(int(best)))
    lines = [f"{benchmark.name}", *(f"  {line}" for line in benchmark.describe())]
    lines.append(f"  optimum {benchmark.optimum:.6g}: {architecture}")
    lines.append(f"  mean {np.nanmean(values):.6g}, median {np.nanmedian(values):.6g}")
    if problem.seconds:
        lines.append(f"  time: {table.columns[problem.seconds].describe()}")
    if problem.costs:
        lines.append(f"  costs: {', '.join(problem.costs)}")
    return lines


def _coverage(table: Table, column: str) -> str:
    missing = int(np.isnan(table.values(column)).sum())
    return f"; missing for {missing:,}" if missing else ""
