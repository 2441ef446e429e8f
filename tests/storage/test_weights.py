"""Weights as files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from nas.errors import NasError
from nas.storage.weights import load_weights, save_weights


class Tied(nn.Module):
    """Two layers with one weight, seen through a transpose."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)
        self.b.weight = self.a.weight


def test_weights_come_back_with_ties_and_in_evaluation_mode(tmp_path: Path) -> None:
    network, other = Tied(), Tied()
    save_weights(network, tmp_path / "w.safetensors")
    loaded = load_weights(other, tmp_path / "w.safetensors")
    assert loaded is other and not loaded.training
    assert torch.equal(other.a.weight, network.a.weight)
    assert other.b.weight is other.a.weight


def test_missing_damaged_and_foreign_files_are_named(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    with pytest.raises(NasError, match=r"w\.safetensors is missing"):
        load_weights(Tied(), file)
    save_weights(nn.Linear(2, 2), file)
    with pytest.raises(NasError, match="of another network"):
        load_weights(Tied(), file)
    file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(NasError, match="damaged"):
        load_weights(Tied(), file)


def test_a_failing_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "w.safetensors"
    save_weights(Tied(), file)
    before = file.read_bytes()
    monkeypatch.setattr("nas.storage.checkpoint.os.fsync", _full_disk)
    with pytest.raises(NasError, match="No space left"):
        save_weights(nn.Linear(2, 2), file)
    assert file.read_bytes() == before and list(tmp_path.iterdir()) == [file]


def _full_disk(handle: int) -> None:
    import errno
    import os

    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
