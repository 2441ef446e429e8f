"""Files that appear complete or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.errors import NasError
from nas.export.staging import staged


def test_files_move_together(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("old")
    with staged(tmp_path / "a.py") as draft:
        draft.write_text("new")
        draft.with_suffix(".bin").write_text("beside")
        (draft.parent / "__pycache__").mkdir()
        assert (tmp_path / "a.py").read_text() == "old"
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {
        "a.py": "new",
        "a.bin": "beside",
    }


def test_an_error_leaves_everything_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("old")
    with pytest.raises(ZeroDivisionError), staged(tmp_path / "a.py") as draft:
        draft.write_text("half")
        raise ZeroDivisionError
    assert [file.name for file in tmp_path.iterdir()] == ["a.py"]
    assert (tmp_path / "a.py").read_text() == "old"


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(NasError, match="it is a folder"), staged(tmp_path):
        pass
    with pytest.raises(NasError, match="there is no folder"), staged(tmp_path / "b" / "a.py"):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(NasError, match="there is no folder"), staged(tmp_path / "file" / "a.py"):
        pass


def test_failing_writes_are_errors_of_the_user(tmp_path: Path) -> None:
    with (
        pytest.raises(NasError, match=r"cannot write '.*a.py': No space"),
        staged(tmp_path / "a.py"),
    ):
        raise OSError(28, "No space left on device")
    assert not list(tmp_path.iterdir())
