"""Folders of independent results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nas.comparison.folder import ResultFolder, open_folder
from nas.errors import NasError

CONFIG: dict[str, Any] = {"seed": 0, "names": ["a", "b"], "count": 3}


def make(path: Path, growing: tuple[str, ...] = ("names", "count"), **changes: Any) -> ResultFolder:
    return ResultFolder(path, CONFIG | changes, "lines.jsonl", growing)


def test_results_come_back_and_a_torn_line_is_dropped(tmp_path: Path) -> None:
    folder = make(tmp_path / "out")
    with folder.locked():
        folder.append([{"n": 1}, {"n": 2}])
    with open(folder.lines, "a", encoding="utf-8") as stream:
        stream.write('{"n": 3')
    assert [r["n"] for r in folder.results()] == [1, 2]
    again = make(tmp_path / "out")
    with again.locked():
        again.append([{"n": 4}])
    assert [r["n"] for r in again.results()] == [1, 2, 4]


def test_other_settings_are_refused(tmp_path: Path) -> None:
    with make(tmp_path / "out").locked():
        pass
    with pytest.raises(NasError, match=r"other settings \(seed=0, not 1\)"):
        make(tmp_path / "out", seed=1)
    with pytest.raises(NasError, match=r"other settings \(names: b\)"):
        make(tmp_path / "out", names=["a", "c"])
    with pytest.raises(NasError, match=r"count=3, not 2"):
        make(tmp_path / "out", count=2)
    with pytest.raises(NasError, match=r"count=3, not 4"):
        make(tmp_path / "out", ("names",), count=4)


def test_what_may_grow_grows(tmp_path: Path) -> None:
    with make(tmp_path / "out").locked():
        pass
    with make(tmp_path / "out", names=["c", "a", "b"], count=5).locked():
        pass
    kept = json.loads((tmp_path / "out" / "config.json").read_text())
    assert kept["names"] == ["c", "a", "b"] and kept["count"] == 5


def test_folders_of_something_else_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(NasError, match="holds nothing to continue"):
        make(tmp_path)
    with pytest.raises(NasError, match="no folder"):
        make(tmp_path / "notes.txt")


@pytest.mark.parametrize("text", ["{", "[]"])
def test_damaged_files_are_named(tmp_path: Path, text: str) -> None:
    folder = make(tmp_path / "out")
    with folder.locked():
        folder.append([{"n": 1}])
    folder.lines.write_text(f'{{"n": 1}}\n{text}\n{{"n": 2}}\n')
    with pytest.raises(NasError, match=r"lines.jsonl, line 2 is damaged"):
        folder.results()
    folder.file.write_text(text)
    with pytest.raises(NasError, match=r"config.json is damaged"):
        make(tmp_path / "out")


def test_one_process_at_a_time(tmp_path: Path) -> None:
    folder = make(tmp_path / "out")
    with (
        folder.locked(),
        pytest.raises(NasError, match="in use by another process"),
        make(tmp_path / "out").locked(),
    ):
        pass


def test_half_written_files_are_removed(tmp_path: Path) -> None:
    folder = make(tmp_path / "out")
    torn = folder.path / ".config.json.x.part"
    torn.write_text("{")
    with folder.locked():
        assert not torn.exists()


def test_a_name_that_is_taken_gets_a_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for seed, expected in [(0, "runs/x"), (1, "runs/x-2"), (0, "runs/x"), (1, "runs/x-2")]:
        folder = open_folder(None, "x", lambda path, seed=seed: make(path, seed=seed))  # type: ignore[misc]
        with folder.locked():
            assert folder.path == Path(expected)
    with pytest.raises(NasError, match="other settings"):
        open_folder(Path("runs/x"), "y", lambda path: make(path, seed=1))
