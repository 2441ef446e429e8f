"""Synthetic tables over a real space, in a home of their own."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from nas.benchmarks.columns import Column, Problem
from nas.benchmarks.table import TableData, write_table


def table_data(name: str = "made", shift: int = 0) -> TableData:
    """All cells of NAS-Bench-201: the valid accuracy grows with the numbers of the options.

    The test accuracy is a little lower, an evaluation takes 10 s and 1 s an option's number. The
    first cell has no valid accuracy.
    """
    choices = np.indices((5,) * 6).reshape(6, -1).T
    good = ((choices + shift) % 5).sum(1) / 24
    valid = 0.5 + 0.4 * good
    valid[0] = np.nan
    test = valid - 0.01 - 0.02 * (choices[:, 0] % 2)
    columns = [
        Column("accuracy", "toy", "valid", 12, unit="share"),
        Column("accuracy", "toy", "test", 200, unit="share"),
        Column("loss", "toy", "valid", 12, maximise=False),
        Column("seconds", "toy", "train", 12, unit="s", maximise=False),
        Column("params", maximise=False),
    ]
    values = [valid, test, 1 - valid, 10.0 + choices.sum(1), 1e6 + 1e5 * good]
    arrays = {column.name: array for column, array in zip(columns, values, strict=True)}
    seen, reported, loss, seconds, params = arrays
    problems = [
        Problem("toy", seen, (reported,), seconds, (params,)),
        Problem("untimed", seen, (reported,)),
        Problem("loss", loss, (reported,), seconds),
    ]
    return TableData(name, "nas-bench-201", choices, columns, arrays, problems, "made for tests")


def noisy_data() -> TableData:
    """All cells with three trainings, of which some lack the last one.

    Trainings of a cell differ by 0.1 and 0.2, and take 10, 20, 30 s. The reported column is of
    three trainings too, and the same in all.
    """
    data = table_data("noisy")
    seen, reported, _, seconds, params = (column.name for column in data.columns)
    steps = np.array([-0.1, 0.0, 0.2])
    trainings = data.arrays[seen][:, None] + steps
    trainings[::7, 2] = np.nan
    columns = [dataclasses.replace(column, seeds=3) for column in data.columns[:2]]
    columns += [dataclasses.replace(data.columns[3], seeds=3), data.columns[4]]
    arrays = {
        seen: trainings,
        reported: np.repeat(data.arrays[reported][:, None], 3, 1),
        seconds: np.broadcast_to([10.0, 20.0, 30.0], trainings.shape),
        params: data.arrays[params],
    }
    problems = [Problem("toy", seen, (reported,), seconds, (params,))]
    return dataclasses.replace(data, columns=columns, arrays=arrays, problems=problems)


@pytest.fixture(scope="session")
def made_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tables `made`, `other` and `noisy`."""
    folder = tmp_path_factory.mktemp("home")
    write_table(table_data(), folder / "made.table")
    write_table(table_data("other", 2), folder / "other.table")
    write_table(noisy_data(), folder / "noisy.table")
    return folder


@pytest.fixture
def home(made_tables: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The home of tables; the working folder is empty."""
    monkeypatch.setenv("NAS_HOME", str(made_tables))
    monkeypatch.chdir(tmp_path)
    return made_tables


@pytest.fixture
def empty_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home without tables; the working folder is empty."""
    place = tmp_path / "home"
    monkeypatch.setenv("NAS_HOME", str(place))
    monkeypatch.chdir(tmp_path)
    return place
