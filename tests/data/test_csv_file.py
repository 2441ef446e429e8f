"""Tables in text files, and those of scikit-learn."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nas.data import load_task
from nas.errors import NasError
from nas.task import Task

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
HEADER = "age, colour, size, label"
LINES = [f"{20 + i}, {'red' if i % 3 else 'blue'}, {i * 0.5}, {'yes' if i % 2 else 'no'}"
         for i in range(40)]  # fmt: skip


def write(folder: Path, lines: list[str], name: str = "a.csv") -> str:
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return f"csv:{folder / name}"


def load(folder: Path, lines: list[str], **settings: Any) -> Task:
    return load_task(write(folder, lines), **settings)


def raw(task: Task) -> torch.Tensor:
    """Rows as they are kept, in the order of age."""
    return task.x[task.x[:, 0].argsort()]


def test_columns(tmp_path: Path) -> None:
    task = load(tmp_path, [HEADER, *LINES])
    assert (task.info.kind, task.info.categories) == ("table", (0, 3, 0))
    assert task.classes == ("no", "yes")
    x = raw(task)
    assert x[:, 0].tolist() == list(range(20, 60))
    assert x[:, 1].tolist() == [2.0 if i % 3 else 1.0 for i in range(40)]
    found = json.loads(json.dumps(task.describe()))
    assert (found["columns"], found["target"]) == (["age", "colour", "size"], "label")
    for x, y in task.batches("train", 5):
        age = x[:, 0] * task.std[0] + task.mean[0]
        assert y.tolist() == (age.round() % 2).int().tolist()


def test_numbers_are_normalised_and_codes_are_not(tmp_path: Path) -> None:
    lines = [line.replace("22,", "?,").replace("1.5,", ",") for line in LINES]
    task = load(tmp_path, [HEADER, *lines])
    x = torch.cat([x for x, _ in task.batches("train", 100)])
    assert not x.isnan().any() and set(x[:, 1].tolist()) <= {0.0, 1.0, 2.0}
    raw = task.x[: task.size("train")]
    for column in (0, 2):
        known = ~raw[:, column].isnan()
        assert x[known, column].mean().item() == pytest.approx(0, abs=1e-6)
        assert x[known, column].std(correction=0).item() == pytest.approx(1, abs=1e-5)
        assert (x[~known, column] == 0).all()
    assert task.x[:, 0].isnan().sum() == task.x[:, 2].isnan().sum() == 1


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ([HEADER, *LINES], ["age", "colour", "size", "label"]),
        (LINES, ["0", "1", "2", "3"]),
        ([HEADER, *[line.replace("20", "?") for line in LINES]], None),
        (["a;b", *["x;y", "y;x", "x;x", "y;y"] * 3], ["a", "b"]),
        (["x;y", "y;x", "x;x", "y;y"] * 3, ["0", "1"]),
        (["1.5\tu", "2\tv", "3\tw"] + ["4\tu", "5\tv", "6\tw"] * 3, ["0", "1"]),
    ],
)
def test_header_and_separator(tmp_path: Path, lines: list[str], names: list[str] | None) -> None:
    found = load(tmp_path, lines).describe()
    expected = names or ["age", "colour", "size", "label"]
    assert [*found["columns"], found["target"]] == expected


def test_header_can_be_told(tmp_path: Path) -> None:
    lines = ["1,2", *["3,a", "4,b"] * 4]
    assert load(tmp_path, lines, header=True).describe()["columns"] == ["1"]
    assert sum(len(t) for t in (load(tmp_path, ["3,a", "4,b"] * 4, header=False).y,)) == 8


@pytest.mark.parametrize("target", ["colour", "1", "-3"])
def test_target(tmp_path: Path, target: str) -> None:
    task = load(tmp_path, [HEADER, *LINES], target=target, ignore="size")
    assert task.classes == ("blue", "red") and task.info.categories == (0, 3)


def test_numbers_may_stand_for_categories(tmp_path: Path) -> None:
    lines = [f"{i % 4},{i % 2}" for i in range(40)]
    task = load(tmp_path, lines, categorical="0", header=False)
    assert task.info.categories == (5,) and set(task.x[:, 0].tolist()) == {1.0, 2.0, 3.0, 4.0}
    few = load(tmp_path, lines, categorical="0", header=False, most_categories=2)
    assert few.info.categories == (3,) and (few.x[:, 0] == 0).sum() == 20


def test_test_file(tmp_path: Path) -> None:
    write(tmp_path, ["21, green, ?, yes.", "22, red, 1, no.", "23, blue, 1, ?"], "b.csv")
    task = load(tmp_path, LINES, test="b.csv")
    assert [task.size(s) for s in ("train", "valid", "test")] == [20, 20, 2]
    assert task.x[-2:, 1].tolist() == [0.0, 2.0] and task.y[-2:].tolist() == [1, 0]
    with_names = load(tmp_path, [HEADER, *LINES], test=str(tmp_path / "b.csv"))
    assert torch.equal(with_names.y, task.y)


@pytest.mark.parametrize(
    ("lines", "settings", "message"),
    [
        ([*LINES, "1, 2"], {}, "line 41 has 2 values"),
        (LINES[:1], {}, "1 rows"),
        (["a", "b", "c"], {}, "columns"),
        ([HEADER, *LINES], {"target": "lable"}, "label"),
        ([HEADER, *LINES], {"target": "9"}, "target"),
        ([HEADER, *LINES], {"target": "size"}, "no regression"),
        ([HEADER, *LINES], {"ignore": "age,colour,size"}, "no column beside"),
        ([HEADER, *[line.replace("no", "yes") for line in LINES]], {}, "all labels"),
        (["a,a,b", *["1,2,x", "2,1,y"] * 4], {}, "twice"),
        (LINES, {"most_categories": 0}, "most_categories"),
        (LINES, {"test": "c.csv"}, r"c\.csv"),
    ],
)
def test_mistakes(tmp_path: Path, lines: list[str], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(NasError, match=message):
        load(tmp_path, lines, **settings)


def test_labels_of_the_test_file_must_be_known(tmp_path: Path) -> None:
    write(tmp_path, ["21, red, 1, maybe", "22, red, 1, no"], "b.csv")
    with pytest.raises(NasError, match="maybe"):
        load(tmp_path, LINES, test="b.csv")
    write(tmp_path, ["young, red, 1, no", "22, red, 1, no"], "b.csv")
    with pytest.raises(NasError, match="'young' is no number"):
        load(tmp_path, LINES, test="b.csv")


def test_adult() -> None:
    file = SHARED / "adult-train.csv"
    if not file.exists():
        pytest.skip(f"no {file}")
    task = load_task(f"csv:{file}", test="adult-test.csv", limit=2000)
    assert task.classes == ("<=50K", ">50K") and task.size("test") == 16_281
    assert task.info.categories == (0, 9, 0, 17, 0, 8, 15, 7, 6, 3, 0, 0, 0, 42)
    assert np.isclose(task.y.double().mean(), 0.24, atol=0.01)


# -- scikit-learn ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shape", "classes"), [("breast-cancer", 30, 2), ("wine", 13, 3), ("iris", 4, 3)]
)
def test_tables_of_scikit_learn(name: str, shape: int, classes: int) -> None:
    task = load_task(f"table:{name}", seed=1)
    assert task.info.kind == "table" and task.info.categories == (0,) * shape
    assert task.outputs == classes and len(task.describe()["columns"]) == shape


def test_unknown_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NasError, match="wine"):
        load_task("table:whine")
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(NasError, match="pip install scikit-learn"):
        load_task("table:wine")
