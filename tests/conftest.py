"""How the tests use the machine; tiny data that any test may use."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # a process a core; before torch is imported

import numpy as np
import pytest
from tiny import tiny_arrays

from nas import search  # noqa: F401  (loads the module that a fixture changes)
from nas.task import Task

_FEW = 6


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Run few files in this process: `-n auto` would take longer to start than they take."""
    paths = [Path(argument.partition("::")[0]) for argument in config.args]
    single = all("::" in argument for argument in config.args)
    files = sum(1 if path.is_file() else len(list(path.rglob("test_*.py"))) for path in paths)
    return 0 if single or files < _FEW else None


def pytest_collection_finish() -> None:
    """Keep what was imported and collected out of the garbage collector's rounds, and have few."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


@pytest.fixture(scope="session", autouse=True)
def nas_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of benchmark tables of the tests' own; what is built in is made there once."""
    base = tmp_path_factory.getbasetemp()
    place = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base  # one for all workers
    folder = place / "home"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAS_HOME", str(folder))
        yield folder


@pytest.fixture
def tiny_task() -> Task:
    """A task of 20 train, 20 valid and 12 test images [3, 8, 8] of 3 classes."""
    return Task.from_arrays(**tiny_arrays(), name="tiny")


@pytest.fixture(scope="session")
def tiny_npz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the same."""
    path = tmp_path_factory.mktemp("data") / "tiny.npz"
    np.savez(path, **tiny_arrays())
    return path


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out a run's drawings, which take longer than a tiny search."""
    monkeypatch.setattr(sys.modules["nas.search.search"], "_report", lambda run, architecture: None)
