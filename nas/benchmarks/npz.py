"""NumPy archives that readers take up: which arrays there are, and the arrays, without pickles."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.errors import NasError

__all__ = ["array_names", "read_arrays", "texts_of"]

_LOCAL_HEADER = 30
"""Bytes before the name of a zip archive's first member; its length is in the last four."""


def array_names(path: Path) -> set[str]:
    """Return the names of an archive's arrays; of a truncated one at least the first.

    Args:
        path: Any file or folder; what is no NumPy archive has no names.
    """
    if path.suffix != ".npz" or not path.is_file():
        return set()
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        names = _first_name(path)
    return {name.removesuffix(".npy") for name in names}


def _first_name(path: Path) -> list[str]:
    with open(path, "rb") as stream:
        header = stream.read(_LOCAL_HEADER)
        if len(header) < _LOCAL_HEADER or not header.startswith(b"PK\x03\x04"):
            return []
        length = int.from_bytes(header[-4:-2], "little")
        return [stream.read(length).decode("utf-8", "replace")]


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return an archive's arrays by name; raises whatever NumPy does where it is damaged."""
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def texts_of(arrays: dict[str, NDArray[Any]], name: str) -> list[str]:
    """Return an array of texts as a list; raises `NasError` where it is not one."""
    array = np.atleast_1d(arrays[name])
    if array.ndim != 1 or array.dtype.kind not in "US":
        raise NasError(f"'{name}' is {array.dtype} {list(array.shape)}; expected a list of texts")
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8")
    return [str(text) for text in array]
