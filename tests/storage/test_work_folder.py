"""A folder that belongs to one piece of work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nas.errors import NasError
from nas.storage.work_folder import open_folder

PLAN = {"seed": 0, "train": {"epochs": 3, "batch_size": 8}}


def open_it(folder: Path, **changes: object) -> None:
    open_folder(folder, "train.json", "training", PLAN | changes, "choose another --out")


def test_the_same_work_goes_on(tmp_path: Path) -> None:
    for _ in range(2):
        open_it(tmp_path / "a" / "b")
    assert [file.name for file in (tmp_path / "a" / "b").iterdir()] == ["train.json"]


@pytest.mark.parametrize(
    ("changes", "name"),
    [({"seed": 1}, "seed"), ({"train": {"epochs": 4, "batch_size": 8}}, "train.epochs")],
)
def test_other_work_is_refused_by_its_first_difference(
    tmp_path: Path, changes: dict[str, object], name: str
) -> None:
    open_it(tmp_path)
    with pytest.raises(NasError, match=f"another {re.escape(name)}; choose another --out"):
        open_it(tmp_path, **changes)


@pytest.mark.parametrize("content", ["", "{"])
def test_a_damaged_plan_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "train.json").write_text(content)
    with pytest.raises(NasError, match=r"train\.json is damaged"):
        open_it(tmp_path)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(NasError, match="is in use: it is not empty and holds no training"):
        open_it(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]
