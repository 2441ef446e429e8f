"""Tiny data that any test may use."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas import search  # noqa: F401  (loads the module that a fixture changes)
from nas.task import Task


def tiny_arrays() -> dict[str, Any]:
    """40 random images of 3 classes, and 12 for test."""
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.normal(size=(40, 3, 8, 8)).astype("float32"),
        "y_train": np.arange(40) % 3,
        "x_test": rng.normal(size=(12, 3, 8, 8)).astype("float32"),
        "y_test": np.arange(12) % 3,
    }


@pytest.fixture(scope="session", autouse=True)
def nas_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of benchmark tables of the tests' own; what is built in is made there once."""
    folder = tmp_path_factory.mktemp("home")
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
    monkeypatch.setattr(sys.modules["nas.search"], "_report", lambda run, architecture: None)
