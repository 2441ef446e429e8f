"""Published tables: their format, where they lie, one reader of official files a file."""

from __future__ import annotations

from nas.benchmarks.benchmark import Benchmark
from nas.benchmarks.columns import Column, Problem
from nas.benchmarks.home import home, installed, open_benchmark, open_table, reader_of, readers
from nas.benchmarks.table import SUFFIX, Table, TableData, write_table

__all__ = [
    "SUFFIX", "Benchmark", "Column", "Problem", "Table", "TableData", "home", "installed",
    "open_benchmark", "open_table", "reader_of", "readers", "write_table",
]  # fmt: skip
