"""The study of a run: what was evaluated comes back, also after a kill."""

from __future__ import annotations

import os
from pathlib import Path

import optuna
import pytest
from small_runs import ARCHITECTURES, CONFIG, SPACE, create, measurement

from nas.errors import NasError
from nas.objective import Measurement
from nas.run import Run, load


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
