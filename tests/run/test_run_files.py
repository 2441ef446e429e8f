"""Files of a run that are damaged or missing, and who may mend them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from small_runs import ARCHITECTURES, create, measurement

from nas.errors import NasError
from nas.run import load


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


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(NasError, match=rf"no run at {tmp_path}: config\.json is missing"):
        load(tmp_path)
    with pytest.raises(NasError, match="no run at"):
        load(tmp_path / "absent")
    (tmp_path / "file").write_text("")
    with pytest.raises(NasError):
        load(tmp_path / "file")


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
