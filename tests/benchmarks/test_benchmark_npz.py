"""NumPy archives: their names without reading them, their arrays without pickles."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from nas.benchmarks.npz import array_names, read_arrays, texts_of
from nas.errors import NasError


def test_names_and_arrays(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez_compressed(path, **{"a/b@1": np.arange(3), "text": np.array("hello")})
    assert array_names(path) == {"a/b@1", "text"}
    assert {name: a.tolist() for name, a in read_arrays(path).items()} == {
        "a/b@1": [0, 1, 2],
        "text": "hello",
    }


def test_a_truncated_archive_tells_its_first_name(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, first=np.arange(30), second=np.arange(3))
    path.write_bytes(path.read_bytes()[:200])
    assert array_names(path) == {"first"}


def test_what_is_no_archive_has_no_names(tmp_path: Path) -> None:
    for content in (b"", b"PK\x03\x04", b"nonsense" * 10, pickle.dumps([1])):
        (tmp_path / "x.npz").write_bytes(content)
        assert array_names(tmp_path / "x.npz") == set()
    assert array_names(tmp_path) == set()
    assert array_names(tmp_path / "none.npz") == set()


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.array([{}], object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        read_arrays(tmp_path / "x.npz")


def test_texts() -> None:
    arrays = {"one": np.array("a"), "two": np.array([b"b", "ü".encode()]), "number": np.zeros(2)}
    assert texts_of(arrays, "one") == ["a"]
    assert texts_of(arrays, "two") == ["b", "ü"]
    with pytest.raises(NasError, match=r"'number' is float64 \[2\]; expected a list of texts"):
        texts_of(arrays, "number")
