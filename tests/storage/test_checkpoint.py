"""Files that are whole or not there, and seeds."""

from __future__ import annotations

import json
import pickle
import random
import stat
from pathlib import Path

import numpy as np
import pytest
import torch

from nas.errors import NasError
from nas.storage.checkpoint import (
    atomic,
    load_checkpoint,
    save_checkpoint,
    seed_everything,
    seed_of,
    write_json,
)

STATE = {"epoch": 3, "weights": torch.arange(6.0), "history": [{"loss": 0.5}], "note": None}


# -- atomic writing -------------------------------------------------------------------------------


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with atomic(path) as stream:
        stream.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_the_old_file_stands_when_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), atomic(path) as stream:
        stream.write(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with pytest.raises(NasError, match=f"cannot write {path}: No space left"), atomic(path):
        raise OSError(28, "No space left on device")
    assert not list(tmp_path.iterdir())


def test_json(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"x": [1, None]})
    text = (tmp_path / "a.json").read_text()
    assert json.loads(text) == {"x": [1, None]} and text.endswith("\n")


def test_json_that_cannot_be_written_leaves_the_old(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, 1)
    with pytest.raises(TypeError):
        write_json(path, {1, 2})
    assert json.loads(path.read_text()) == 1
    assert len(list(tmp_path.iterdir())) == 1


# -- checkpoints ----------------------------------------------------------------------------------


def test_round_trip_makes_the_folder(tmp_path: Path) -> None:
    path = tmp_path / "run" / "checkpoint" / "state.pt"
    save_checkpoint(path, STATE)
    state = load_checkpoint(path)
    assert state is not None
    assert torch.equal(state.pop("weights"), STATE["weights"])
    assert state == {name: value for name, value in STATE.items() if name != "weights"}


def test_an_absent_checkpoint_is_none(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path / "state.pt") is None


def test_the_newer_replaces_the_older(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    for epoch in (1, 2):
        save_checkpoint(path, {"epoch": epoch})
    assert load_checkpoint(path) == {"epoch": 2}
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("kept", [0, 1, 100, -10])
def test_a_truncated_checkpoint_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "state.pt"
    save_checkpoint(path, STATE)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(NasError, match=f"checkpoint {path} is damaged .*delete it to start over"):
        load_checkpoint(path)


class Danger:
    """Says so when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("unpickled",)


def test_nothing_but_data_is_unpickled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "state.pt"
    torch.save({"x": Danger()}, path)
    with pytest.raises(NasError, match="damaged"):
        load_checkpoint(path)
    path.write_bytes(pickle.dumps(Danger(), protocol=2))
    with pytest.raises(NasError, match="damaged"):
        load_checkpoint(path)
    assert "unpickled" not in capsys.readouterr().out


def test_what_is_not_a_state_is_refused(tmp_path: Path) -> None:
    torch.save(torch.zeros(2), tmp_path / "state.pt")
    with pytest.raises(NasError, match="does not hold a state"):
        load_checkpoint(tmp_path / "state.pt")


# -- seeds ----------------------------------------------------------------------------------------


def test_seeds_are_fixed_for_ever() -> None:
    """Records of runs rely on it: the same seed has to mean the same in every version."""
    assert seed_of(0, "train", 3) == 136949300680641


def test_seeds_differ_by_everything_that_is_named() -> None:
    names = [(), ("a",), ("b",), ("a", "b"), ("ab",), ("a", 1), ("a", 2), (1, "a"), ("1", "2")]
    seeds = [seed_of(seed, *what) for seed in (0, 1) for what in names]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**48 for seed in seeds)


def test_all_three_generators_are_seeded() -> None:
    def draw(seed: int) -> tuple[float, ...]:
        seed_everything(seed)
        return random.random(), float(np.random.random()), float(torch.rand(()))

    one, same, other = draw(seed_of(1, "x")), draw(seed_of(1, "x")), draw(seed_of(2, "x"))
    assert one == same
    assert all(a != b for a, b in zip(one, other, strict=True))


def test_a_checkpoint_with_a_flipped_bit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    save_checkpoint(path, {"weights": torch.zeros(1000)})
    content = bytearray(path.read_bytes())
    middle = content.index(bytes(100)) + 50  # inside the zeros
    content[middle] ^= 4
    path.write_bytes(content)
    with pytest.raises(NasError, match="damaged"):
        load_checkpoint(path)


def test_a_folder_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(NasError, match="cannot write"), atomic(tmp_path / "no" / "file"):
        pass
    (tmp_path / "file").write_text("")
    with pytest.raises(NasError, match="cannot make folder"):
        save_checkpoint(tmp_path / "file" / "state.pt", {})
