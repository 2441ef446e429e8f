"""The run folder: what it holds, who may use it, and what is said when it is damaged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from nas.errors import NasError
from nas.objective import Measurement
from nas.run import Run, load
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import Architecture
from nas.task import TaskInfo

SPACE = NASBench201()
ARCHITECTURES = SPACE.sample(np.random.default_rng(0), 4)
CONFIG: dict[str, Any] = {
    "space": "nas-bench-201",
    "strategy": "random",
    "objective": "accuracy",
    "seed": 0,
    "device": "cpu",
    "settings": {"supernet": {"channels": 4}, "strategy": {}},
    "task": {"input_shape": [3, 8, 8], "outputs": 3, "splits": {"sha256": "abc"}},
}


def create(folder: Path, **changes: Any) -> Run:
    return Run.create(folder, CONFIG | changes, SPACE)


def measurement(accuracy: float = 0.5) -> Measurement:
    return Measurement({"accuracy": accuracy, "loss": 1.0}, 0.25)


# -- starting -------------------------------------------------------------------------------------


def test_a_new_run_records_settings_and_versions(tmp_path: Path) -> None:
    run = create(tmp_path / "runs" / "a")
    config = json.loads((run.folder / "config.json").read_text())
    assert {name: config[name] for name in CONFIG} == CONFIG
    assert {"nas", "python", "torch", "numpy", "optuna"} <= config["versions"].keys()
    assert config["created"]
    assert run.space is SPACE
    assert run.info == TaskInfo((3, 8, 8), 3)
    assert run.settings("supernet") == {"channels": 4}
    assert run.settings("nothing") == {}
    assert not run.finished


def test_a_run_is_loaded_by_its_folder(tmp_path: Path) -> None:
    create(tmp_path)
    run = load(tmp_path)
    assert run.space.name == "nas-bench-201"
    assert run.objective.metric == "accuracy"
    assert load(str(tmp_path), SPACE).space is SPACE


def test_the_same_settings_take_up_the_run(tmp_path: Path) -> None:
    first = create(tmp_path)
    again = create(tmp_path, device="cuda", settings={"strategy": {}, "supernet": {"channels": 4}})
    assert again.config == first.config  # of the first start, with its date and device


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"seed": 1}, "seed=0, not 1"),
        ({"strategy": "darts"}, "strategy='random', not 'darts'"),
        (
            {"settings": {"supernet": {"channels": 8}, "strategy": {}}},
            "supernet.channels=4, not 8",
        ),
        ({"settings": {"supernet": {}, "strategy": {}}}, "supernet.channels=4, not None"),
        ({"evaluations": 5}, "evaluations=None, not 5"),
    ],
)
def test_other_settings_are_refused_by_name(
    tmp_path: Path, changes: dict[str, Any], difference: str
) -> None:
    create(tmp_path)
    before = (tmp_path / "config.json").read_bytes()
    with pytest.raises(NasError) as error:
        create(tmp_path, **changes)
    assert f"{tmp_path} holds a run with other settings ({difference})" in str(error.value)
    assert f"nas resume {tmp_path}" in str(error.value)
    assert (tmp_path / "config.json").read_bytes() == before


def test_data_that_changed_are_refused(tmp_path: Path) -> None:
    create(tmp_path, data="npz:x")
    changed = CONFIG["task"] | {"splits": {"sha256": "other"}}
    with pytest.raises(NasError, match="data 'npz:x' is not what it was"):
        create(tmp_path, data="npz:x", task=changed)


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


def test_reading_does_not_disturb_a_run_under_way(tmp_path: Path) -> None:
    """Only who holds the run repairs it: a half-written line may be about to be completed."""
    run = create(tmp_path)
    run.record(ARCHITECTURES[0], measurement())
    lock = tmp_path / "study.journal.lock"
    os.symlink("study.journal", lock)
    with open(tmp_path / "study.journal", "ab") as stream:
        stream.write(b'{"op_code": 4, "wor')
    size = (tmp_path / "study.journal").stat().st_size
    assert len(load(tmp_path).trials()) == 1
    assert lock.is_symlink()
    assert (tmp_path / "study.journal").stat().st_size == size


# -- the study ------------------------------------------------------------------------------------


def test_trials_come_back_as_they_were(tmp_path: Path) -> None:
    run = create(tmp_path)
    failed = Measurement(seconds=1.0, error="RuntimeError: no")
    recorded = [measurement(0.1), failed, measurement(1 / 3)]
    numbers = [run.record(a, m) for a, m in zip(ARCHITECTURES, recorded, strict=False)]
    assert numbers == [0, 1, 2]
    for opened in (run, load(tmp_path)):
        trials = opened.trials()
        assert [t.number for t in trials] == numbers
        assert [t.architecture for t in trials] == ARCHITECTURES[:3]
        assert [t.measurement for t in trials] == recorded


def test_optuna_reads_the_journal_on_its_own(tmp_path: Path) -> None:
    run = create(tmp_path)
    for i, architecture in enumerate(ARCHITECTURES):
        run.record(architecture, measurement(i / 10))
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage = JournalStorage(JournalFileBackend(str(tmp_path / "study.journal")))
    study = optuna.load_study(study_name="nas", storage=storage)
    assert study.best_value == 0.3
    assert study.direction == optuna.study.StudyDirection.MAXIMIZE
    options = {name: str(o) for name, o in SPACE.options(ARCHITECTURES[3]).items()}
    assert study.best_params == options
    assert study.best_trial.user_attrs["architecture"] == SPACE.format(ARCHITECTURES[3])


def test_a_trial_that_a_kill_cut_off_is_dropped(tmp_path: Path) -> None:
    run = create(tmp_path)
    for architecture in ARCHITECTURES[:2]:
        run.record(architecture, measurement())
    for name in ("study.journal", "log.jsonl"):
        file = tmp_path / name
        file.write_bytes(file.read_bytes()[:-20])
    again = load(tmp_path)
    with again.locked():
        assert len(again.trials()) == 1
        assert len(again.events()) == 1
        again.record(ARCHITECTURES[2], measurement())
    assert [t.architecture for t in load(tmp_path).trials()] == [ARCHITECTURES[0], ARCHITECTURES[2]]
    assert [e["number"] for e in load(tmp_path).events()] == [0, 1]


def test_the_lock_of_a_killed_process_does_not_block(tmp_path: Path) -> None:
    run = create(tmp_path)
    run.record(ARCHITECTURES[0], measurement())
    os.symlink("nowhere", tmp_path / "study.journal.lock")
    (tmp_path / "study.journal.lock1234.rename").write_text("")
    again = load(tmp_path)
    with again.locked():
        again.record(ARCHITECTURES[1], measurement())
    assert not list(tmp_path.glob("study.journal.lock*"))


@pytest.mark.parametrize("damage", [b"not json\n", b'{"op_code": 99}\n', b'{"op_code"\n{}\n'])
def test_a_damaged_journal_is_named(tmp_path: Path, damage: bytes) -> None:
    create(tmp_path).record(ARCHITECTURES[0], measurement())
    file = tmp_path / "study.journal"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(lines[0] + damage + b"".join(lines[1:]))
    with pytest.raises(NasError, match=f"{file} is damaged"):
        load(tmp_path).trials()


def test_conditional_decisions_are_recorded_where_they_are_active(tmp_path: Path) -> None:
    from torch import nn

    from nas.mutables import OneOf
    from nas.search_spaces.module import ModuleSpace

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            inner = OneOf({"a": nn.Tanh(), "b": nn.ReLU()}, label="inner")
            self.outer = OneOf({"deep": nn.Sequential(inner), "flat": nn.Identity()}, label="outer")

    space = ModuleSpace(Net)
    run = Run.create(tmp_path, CONFIG, space)
    for text in ("outer=deep;inner=b", "outer=flat"):
        run.record(space.parse(text), measurement())
    assert [t.params for t in run.study.trials] == [
        {"outer": "deep", "inner": "b"},
        {"outer": "flat"},
    ]


# -- the log --------------------------------------------------------------------------------------


def test_events_are_appended(tmp_path: Path) -> None:
    run = create(tmp_path)
    assert run.events() == [] and run.log_size() == 0
    run.log({"event": "a"})
    size = run.log_size()
    run.log({"event": "b"})
    assert [e["event"] for e in run.events()] == ["a", "b"]
    run.rewind_log(size)
    assert [e["event"] for e in run.events()] == ["a"]
    run.rewind_log(10**6)
    assert run.log_size() == size


def test_an_event_is_logged_once(tmp_path: Path) -> None:
    run = create(tmp_path)
    epoch = {"event": "epoch", "phase": "supernet", "epoch": 1, "loss": 0.5}
    for opened in (run, run, load(tmp_path)):
        opened.log_once(epoch)
    run.log_once(epoch | {"epoch": 2})
    run.log_once(epoch | {"phase": "other"})
    assert len(run.events()) == 3
    run.rewind_log(0)
    run.log_once(epoch)  # forgotten, so logged again
    assert run.events() == [epoch]


def test_lines_that_are_not_json_are_left_out(tmp_path: Path) -> None:
    run = create(tmp_path)
    (tmp_path / "log.jsonl").write_text('{"event": "a"}\nrubbish\n{"event": "b"}\n{"eve')
    assert [e["event"] for e in run.events()] == ["a", "b"]


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


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '"text"', "\x00", "{'a': 1}"])
def test_broken_json_is_named(tmp_path: Path, content: str) -> None:
    create(tmp_path)
    (tmp_path / "best.json").write_text(content)
    with pytest.raises(NasError, match=rf"{tmp_path}/best\.json is damaged"):
        load(tmp_path).best  # noqa: B018
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(NasError, match=rf"{tmp_path}/config\.json is damaged"):
        load(tmp_path)
    with pytest.raises(NasError, match=rf"{tmp_path}/config\.json is damaged"):
        create(tmp_path)


def test_text_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    create(tmp_path)
    (tmp_path / "config.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(NasError, match=r"config\.json is damaged"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["space", "objective", "settings", "task"])
@pytest.mark.parametrize("value", [None, 3])
def test_a_config_that_lacks_something_is_named(tmp_path: Path, name: str, value: Any) -> None:
    create(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text()) | {name: value}
    if value is None:
        del config[name]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(NasError, match=rf"config\.json is damaged: '{name}' is missing"):
        load(tmp_path)


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(NasError, match=rf"no run at {tmp_path}: config\.json is missing"):
        load(tmp_path)
    with pytest.raises(NasError, match="no run at"):
        load(tmp_path / "absent")
    (tmp_path / "file").write_text("")
    with pytest.raises(NasError):
        load(tmp_path / "file")


def test_a_run_of_a_space_that_is_gone(tmp_path: Path) -> None:
    create(tmp_path, space=f"{tmp_path}/gone.py:Net")
    with pytest.raises(NasError, match=r"no such file: .*gone\.py"):
        load(tmp_path).space  # noqa: B018
