"""New tables among the old ones."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from nas.benchmarks.columns import Column, Problem
from nas.benchmarks.home import open_table
from nas.benchmarks.table import TableData
from nas.comparison.install import install, require_name
from nas.errors import NasError


def data(name: str = "mine", value: float = 0.5) -> TableData:
    column = Column("accuracy", "toy", "valid")
    choices = np.array([[3, 3, 3, 3, 3, 3], [1, 3, 3, 3, 3, 3]])
    problems = [Problem("toy", column.name)]
    arrays = {column.name: np.array([value, 0.6])}
    return TableData(name, "nas-bench-201", choices, [column], arrays, problems, "mine")


def test_a_new_table_is_found_by_its_name(empty_home: Path) -> None:
    path = install(data())
    assert path == empty_home / "mine.table" and open_table("mine").source == "mine"
    assert install(data()) == path  # the very same again
    assert [file.name for file in empty_home.iterdir()] == ["mine.table"]


def test_another_table_is_kept_unless_forced(empty_home: Path) -> None:
    path = install(data())
    before = path.read_bytes()
    with pytest.raises(NasError, match="another table of this name"):
        install(data(value=0.7))
    assert path.read_bytes() == before and len(list(empty_home.iterdir())) == 1
    install(data(value=0.7), force=True)
    assert path.read_bytes() != before


def test_nothing_is_left_of_a_table_that_cannot_be_written(empty_home: Path) -> None:
    broken = dataclasses.replace(data(), arrays={})
    with pytest.raises(NasError, match="has shape"):
        install(broken)
    assert not list(empty_home.iterdir())


def test_a_home_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NAS_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(NasError, match="NAS_HOME chooses the folder"):
        install(data())


@pytest.mark.parametrize("name", ["", ".x", "a/b", "a:b", "a b"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(NasError, match="no name for a table"):
        require_name(name)
