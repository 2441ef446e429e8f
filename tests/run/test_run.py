"""The run folder: who may use it, and its result."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from small_runs import ARCHITECTURES, SPACE, create

from nas.errors import NasError
from nas.run import load
from nas.space import Architecture

# -- starting -------------------------------------------------------------------------------------


def test_a_run_is_loaded_by_its_folder(tmp_path: Path) -> None:
    create(tmp_path)
    run = load(tmp_path)
    assert run.space.name == "nas-bench-201"
    assert run.objective.metric == "accuracy"
    assert load(str(tmp_path), SPACE).space is SPACE


def test_a_folder_with_something_else_is_in_use(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(NasError, match=f"{tmp_path} is in use: it is not empty and holds no run"):
        create(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NasError, match="it is no folder"):
        create(tmp_path / "file")
    with pytest.raises(NasError, match=r"cannot make folder .*file/run: Not a directory"):
        create(tmp_path / "file" / "run")


def test_an_empty_folder_or_one_of_a_killed_start_is_taken(tmp_path: Path) -> None:
    (tmp_path / ".config.json.x1y2z3_8.part").write_text('{"spa')
    run = create(tmp_path)
    with run.locked():
        assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "config.json"]


def test_a_run_of_a_space_that_is_gone(tmp_path: Path) -> None:
    create(tmp_path, space=f"{tmp_path}/gone.py:Net")
    with pytest.raises(NasError, match=r"no such file: .*gone\.py"):
        load(tmp_path).space  # noqa: B018


# -- one process at a time ------------------------------------------------------------------------


def test_a_run_in_use_by_another_process_is_refused(tmp_path: Path) -> None:
    run = create(tmp_path)
    code = (
        "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); "
        "print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / ".lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdin is not None
        assert other.stdout.readline() == b"held\n"
        with (
            pytest.raises(NasError, match=f"{tmp_path} is in use by another process"),
            run.locked(),
        ):
            pass
        other.stdin.close()
    with run.locked():  # free again, whatever became of the other
        pass


# -- the result -----------------------------------------------------------------------------------


def test_the_best_comes_back(tmp_path: Path) -> None:
    run = create(tmp_path)
    run.save_best(ARCHITECTURES[0], {"accuracy": 0.9}, "supernet")
    found = load(tmp_path).best
    assert found.architecture == ARCHITECTURES[0]
    assert found.metrics == {"accuracy": 0.9}
    assert found.name == str(tmp_path)
    written = json.loads((tmp_path / "best.json").read_text())
    assert written["text"] == SPACE.format(ARCHITECTURES[0])
    assert written["decisions"] == SPACE.options(ARCHITECTURES[0])
    assert Architecture.from_json(json.dumps(written)) == ARCHITECTURES[0]


def test_no_result_yet(tmp_path: Path) -> None:
    with pytest.raises(NasError, match=f"has no result yet; continue with: nas resume {tmp_path}"):
        create(tmp_path).best  # noqa: B018


def test_finished_is_a_result_and_its_event(tmp_path: Path) -> None:
    run = create(tmp_path)
    run.save_best(ARCHITECTURES[0], {}, "")
    assert not run.finished
    run.log({"event": "done"})
    assert run.finished
    (tmp_path / "best.json").unlink()
    assert not run.finished


@pytest.mark.parametrize(
    "change",
    [
        {"choices": [0, 0, 0]},
        {"choices": [0, 0, 0, 0, 0, 9]},
        {"choices": ["a"] * 6},
        {"choices": "012345"},
        {"choices": None},
        {"choices": 3},
        {"space": "darts"},
        {"metrics": None},
        {"metrics": {"accuracy": "high"}},
        {"metrics": [1]},
    ],
)
def test_a_damaged_result_is_named(tmp_path: Path, change: dict[str, Any]) -> None:
    run = create(tmp_path)
    run.save_best(ARCHITECTURES[0], {"accuracy": 0.9}, "")
    data = json.loads((tmp_path / "best.json").read_text()) | change
    (tmp_path / "best.json").write_text(json.dumps(data))
    with pytest.raises(NasError, match=r"best\.json is damaged: .+"):
        load(tmp_path).best  # noqa: B018
