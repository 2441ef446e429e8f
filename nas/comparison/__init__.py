"""Strategies compared on tables, evaluators compared with tables, and tables made anew."""

from __future__ import annotations

from nas.comparison.build import build
from nas.comparison.compare import compare
from nas.comparison.correlate import correlate
from nas.comparison.distribution import run_edf
from nas.comparison.importing import import_file
from nas.comparison.listing import benchmark_info, list_benchmarks
from nas.comparison.report import FIGURE, JSON, TABLE

__all__ = [
    "FIGURE", "JSON", "TABLE", "benchmark_info", "build", "compare", "correlate", "import_file",
    "list_benchmarks", "run_edf",
]  # fmt: skip
