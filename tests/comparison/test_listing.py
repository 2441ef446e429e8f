"""Lists of benchmarks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nas.comparison.listing import benchmark_info, list_benchmarks
from nas.errors import NasError


def test_tables_at_hand_come_first(home: Path) -> None:
    entries = {entry["name"]: entry for entry in list_benchmarks()}
    assert "15,625 architectures of space nas-bench-201" in entries["made"]["status"]
    assert entries["made"]["problems"] == "toy, untimed, loss"
    assert entries["made"]["summary"] == "made for tests"
    assert "built in" in entries["nas-bench-graph"]["status"]
    assert "nas bench import" in entries["nas-bench-101"]["status"]
    assert "tfrecord" in entries["nas-bench-101"]["files"]
    names = list(entries)
    assert names.index("other") < names.index("nas-bench-101")


def test_everything_about_one(home: Path) -> None:
    entry = benchmark_info("made")
    text = "\n".join(entry["problems"])
    assert "searched on: valid accuracy on toy, 12 epochs" in text
    assert "reported: test accuracy on toy, 200 epochs" in text
    best = "|avg_pool_3x3~0|+|avg_pool_3x3~0|avg_pool_3x3~1|"
    assert f"optimum 0.9: {best}" in text and "costs: params" in text
    assert "made:loss" in text and "optimum 0.1: " in text
    assert "checksums verified" in entry["file"]
    assert entry["architectures"] == "15,625 of 15,625"
    [line] = [c for c in entry["columns"] if c.startswith("toy/valid_accuracy@12")]
    assert line.endswith("missing for 1")


def test_altered_tables_are_refused(made_tables: Path, empty_home: Path) -> None:
    empty_home.mkdir()
    file = empty_home / "made.table"
    shutil.copy(made_tables / "made.table", file)
    content = bytearray(file.read_bytes())
    content[-100] ^= 1
    file.write_bytes(content)
    with pytest.raises(NasError, match="was altered"):
        benchmark_info("made")
    file.write_bytes(content[:1000])
    [entry] = [entry for entry in list_benchmarks() if entry["name"] == "made"]
    assert entry["status"].startswith("damaged")
    with pytest.raises(NasError, match="unknown benchmark 'mad'"):
        benchmark_info("mad")


def test_files_of_a_benchmark_that_is_at_hand_need_not_be_imported(
    made_tables: Path, empty_home: Path
) -> None:
    """NAS-Bench-201 has two kinds of files for one table."""
    entries = {entry["name"]: entry for entry in list_benchmarks()}
    assert "nas bench import" in entries["nas-bench-201-landscape"]["status"]
    empty_home.mkdir()
    shutil.copy(made_tables / "made.table", empty_home / "nas-bench-201.table")
    entries = {entry["name"]: entry for entry in list_benchmarks()}
    status = "at hand as nas-bench-201, of these files or of others"
    assert entries["nas-bench-201-landscape"]["status"] == status
