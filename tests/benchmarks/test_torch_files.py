"""Files of torch.save, old and new."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from official_files import Attack, save_torch

from nas.benchmarks.torch_files import is_torch_file, load_torch, stream_torch
from nas.errors import NasError

DATA = {
    "texts": ["a", "b"],
    "numbers": OrderedDict([(0, 1.5), (1, np.float64(2.5))]),
    ("key", 777): {"count": np.int64(3), "none": None},
    "set": {1, 2},
}
BOTH = pytest.mark.parametrize("old", [True, False])


def ignore(entries: dict[Any, Any]) -> None:
    del entries


@BOTH
def test_data_come_back(tmp_path: Path, old: bool) -> None:
    path = save_torch(tmp_path / "data.pth", DATA, old)
    assert stream_torch(path, ignore) == DATA
    assert load_torch(path) == DATA


@BOTH
def test_tensors_are_loaded(tmp_path: Path, old: bool) -> None:
    path = save_torch(tmp_path / "data.pth", {"weights": torch.arange(4.0)}, old)
    assert load_torch(path)["weights"].tolist() == [0, 1, 2, 3]


@BOTH
def test_a_stream_refuses_tensors(tmp_path: Path, old: bool) -> None:
    path = save_torch(tmp_path / "data.pth", {"weights": torch.arange(4.0)}, old)
    with pytest.raises(NasError, match=r"data\.pth: it asks for 'torch\."):
        stream_torch(path, ignore)


@BOTH
def test_dictionaries_are_handed_over_before_the_end(tmp_path: Path, old: bool) -> None:
    path = save_torch(tmp_path / "data.pth", {i: {"value": i} for i in range(3)}, old)
    seen = []

    def take(entries: dict[Any, Any]) -> None:
        if "value" in entries:
            seen.append(entries.pop("value"))

    assert stream_torch(path, take) == {0: {}, 1: {}, 2: {}}
    assert seen == [0, 1, 2]


@BOTH
@pytest.mark.parametrize("load", [load_torch, lambda path: stream_torch(path, ignore)])
def test_nothing_malicious_runs(tmp_path: Path, old: bool, load: Any) -> None:
    marker = tmp_path / "OWNED"
    path = save_torch(tmp_path / "data.pth", {"meta_archs": [Attack(marker)]}, old)
    with pytest.raises(NasError, match=r"data\.pth: it asks for '\w+\.system'") as caught:
        load(path)
    assert not marker.exists()
    assert "\n" not in str(caught.value)


@BOTH
@pytest.mark.parametrize("keep", [0, 10, 60, 0.5, 0.9])
@pytest.mark.parametrize("load", [load_torch, lambda path: stream_torch(path, ignore)])
def test_truncated_files_are_refused(tmp_path: Path, old: bool, keep: float, load: Any) -> None:
    whole = save_torch(tmp_path / "whole.pth", DATA | {"more": list(range(500))}, old).read_bytes()
    path = tmp_path / "data.pth"
    path.write_bytes(whole[: int(keep if keep > 1 else keep * len(whole))])
    with pytest.raises(NasError, match=r"data\.pth: ") as caught:
        load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("load", [load_torch, lambda path: stream_torch(path, ignore)])
def test_foreign_files_are_refused(tmp_path: Path, load: Any) -> None:
    for content in (
        b"",
        b"text",
        b"PK\x03\x04 no archive",
        b"\x80\x02K\x01.\x80\x02K\x02.\x80\x02N.",
    ):
        path = tmp_path / "data.pth"
        path.write_bytes(content)
        with pytest.raises(NasError, match=r"data\.pth: "):
            load(path)


@BOTH
def test_recognising_does_not_unpickle(tmp_path: Path, old: bool) -> None:
    marker = tmp_path / "OWNED"
    path = save_torch(tmp_path / "data.pth", {"meta_archs": Attack(marker)}, old)
    assert is_torch_file(path, b"meta_archs")
    assert not is_torch_file(path, b"something else")
    assert not is_torch_file(tmp_path, b"")
    assert not marker.exists()
