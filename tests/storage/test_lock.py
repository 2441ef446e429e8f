"""One process at a time in a folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import filelock
import pytest

from nas.errors import NasError
from nas.storage.lock import locked

HOLD = (
    "import sys; from pathlib import Path; from nas.storage.lock import locked\n"
    "with locked(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
)


def test_a_folder_is_held_by_one(tmp_path: Path) -> None:
    with (
        locked(tmp_path),
        pytest.raises(NasError, match=f"{tmp_path} is in use by another process"),
        locked(tmp_path),
    ):
        pass
    with locked(tmp_path):  # free again
        pass


def test_a_killed_process_lets_go(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        with pytest.raises(NasError, match="in use by another process"), locked(tmp_path):
            pass
        other.kill()
    with locked(tmp_path):
        pass


def test_an_error_in_the_block_passes_and_lets_go(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mine"), locked(tmp_path):
        raise ValueError("mine")
    with locked(tmp_path):
        pass


@pytest.mark.parametrize("error", [OSError(38, "Function not implemented"), NotImplementedError()])
def test_where_there_are_no_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with pytest.raises(NasError, match=f"cannot lock {tmp_path}: "), locked(tmp_path):
        pass


def test_a_link_in_place_of_the_lock_leaves_its_target(tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / ".lock").symlink_to(precious)
    with pytest.raises(NasError, match=f"cannot lock {folder}: "), locked(folder):
        pass
    assert precious.read_text() == "mine"
