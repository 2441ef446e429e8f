"""Small tables, and the built-in one, that the tests of benchmarks share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nas import registry
from nas.benchmarks.columns import Column, Problem
from nas.benchmarks.nas_bench_graph import NASBenchGraphReader
from nas.benchmarks.table import Table, TableData, write_table
from nas.progress import Silent

VALID, TEST = "cifar10/valid_accuracy@12", "cifar10/test_accuracy@50"
LOSS, SECONDS = "cifar10/valid_loss@12", "cifar10/train_seconds@12"


def make_data(space: str = "nas-bench-macro", n: int = 40) -> TableData:
    """Random numbers of n architectures, no two of them equal networks; two lack numbers."""
    rng = np.random.default_rng(0)
    made = registry.get("search_spaces", space).factory()
    drawn = made.sample_choices(rng, 4 * n)
    _, first = np.unique(made.keys(drawn), return_index=True)
    valid = rng.random((n, 3))
    valid[1] = np.nan
    valid[2, 0] = np.nan
    return TableData(
        "tiny",
        space,
        drawn[np.sort(first)[:n]],
        [
            Column("accuracy", "cifar10", "valid", 12, seeds=3, unit="share"),
            Column("accuracy", "cifar10", "test", 50, unit="share"),
            Column("loss", "cifar10", "valid", 12, maximise=False),
            Column("seconds", "cifar10", "train", 12, unit="s", maximise=False),
            Column("params", maximise=False),
        ],
        {
            VALID: valid,
            TEST: rng.random(n),
            LOSS: rng.random(n),
            SECONDS: 10 * rng.random(n),
            "params": rng.integers(1000, 9000, n),
        },
        [
            Problem("cifar10", VALID, (TEST,), SECONDS, ("params",)),
            Problem("loss", LOSS, (TEST,)),
        ],
        "made up",
        {"answer": 42},
    )


@pytest.fixture
def data() -> TableData:
    """A table's data on a small space."""
    return make_data()


@pytest.fixture
def large_space_data() -> TableData:
    """The same on a space whose combinations are far too many to be stored."""
    return make_data("darts")


@pytest.fixture
def table(data: TableData, tmp_path: Path) -> Table:
    """The first as a file that is open."""
    write_table(data, tmp_path / "tiny.table")
    return Table(tmp_path / "tiny.table")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder as the home of imported tables."""
    monkeypatch.setenv("NAS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="session")
def graph_table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """NAS-Bench-Graph, made once for all tests."""
    path = tmp_path_factory.mktemp("tables") / "nas-bench-graph.table"
    write_table(NASBenchGraphReader().read(None, Silent()), path)
    return Table(path)
