"""Strategies compared on tables, evaluators compared with tables, and tables made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas.lazy import export_lazily

if TYPE_CHECKING:
    from nas.comparison.build import build
    from nas.comparison.compare import compare
    from nas.comparison.contestants import split_names
    from nas.comparison.correlate import correlate
    from nas.comparison.distribution import run_edf
    from nas.comparison.importing import import_file
    from nas.comparison.listing import benchmark_info, list_benchmarks
    from nas.comparison.report import FIGURE, JSON, TABLE
else:
    export_lazily(
        __name__,
        {
            "FIGURE": "nas.comparison.report",
            "JSON": "nas.comparison.report",
            "TABLE": "nas.comparison.report",
            "benchmark_info": "nas.comparison.listing",
            "build": "nas.comparison.build",
            "compare": "nas.comparison.compare",
            "correlate": "nas.comparison.correlate",
            "import_file": "nas.comparison.importing",
            "list_benchmarks": "nas.comparison.listing",
            "run_edf": "nas.comparison.distribution",
            "split_names": "nas.comparison.contestants",
        },
    )

__all__ = [
    "FIGURE", "JSON", "TABLE", "benchmark_info", "build", "compare", "correlate", "import_file",
    "list_benchmarks", "run_edf", "split_names",
]  # fmt: skip
