"""Files that torch.save wrote, read as data.

Since torch 1.6 these are zip archives; older ones are pickles one after another: a magic number,
the version, the machine it was written on, and then the object.
"""

from __future__ import annotations

import mmap
import re
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nas.benchmarks.pickle_machine import Unpickler
from nas.benchmarks.unpickling import DATA
from nas.errors import NasError

__all__ = ["is_torch_file", "load_torch", "stream_torch"]

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
"""What an old file begins with (torch.serialization)."""
_ZIP = b"PK\x03\x04"
_OLD = b"\x8a\x0a" + MAGIC_NUMBER.to_bytes(10, "little")
_HEAD = 1 << 16


def is_torch_file(path: Path, *marks: bytes) -> bool:
    """Tell whether torch.save may have written a file, with one of these texts near its start."""
    if not path.is_file():
        return False
    try:
        with open(path, "rb") as stream:
            head = stream.read(_HEAD)
    except OSError:
        return False
    torch_file = head.startswith(_ZIP) or _OLD in head[:16]
    return torch_file and any(mark in head for mark in marks)


def load_torch(path: Path) -> Any:
    """Read a file of moderate size with `torch.load(weights_only=True)`.

    Besides tensors and containers, NumPy's scalars are allowed.

    Raises:
        NasError: That names the file and what it asks for, or says that it is damaged.
    """
    import numpy as np
    import torch

    allowed: list[Any] = [np.dtype, *(type(np.dtype(code)) for code in ("f4", "f8", "i8", "i4"))]
    for package in ("numpy.core", "numpy._core"):  # the name changed with NumPy 2
        allowed.append((_numpy_scalar(), f"{package}.multiarray.scalar"))
    try:
        with torch.serialization.safe_globals(allowed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a broken file can raise anything
        raise NasError(f"{path}: {_reason(error)}") from error


def _numpy_scalar() -> Callable[..., Any]:
    import numpy as np

    make: Callable[..., Any] = np.float64(0).__reduce__()[0]
    return make


def _reason(error: Exception) -> str:
    text = str(error)
    name = re.search(r"GLOBAL (\S+)", text)  # torch's own words for a name it does not allow
    if name:
        return f"it asks for '{name[1]}', which is no data; nothing of it was run"
    first = text.splitlines()[0] if text else ""
    return f"it is truncated or not a file of torch ({type(error).__name__}: {first:.100})"


def stream_torch(path: Path, filled: Callable[[dict[Any, Any]], None]) -> Any:
    """Read a file that is larger than the memory, dictionary by dictionary; it holds no tensors.

    Args:
        path: The file.
        filled: Called with every dictionary as soon as it has items; it may empty it.

    Returns:
        The object, without what was emptied.

    Raises:
        NasError: As `load_torch` does.
    """
    with _mapped(path) as data:
        at = _start_in_archive(path) if data[:4] == _ZIP else 0
        machine = Unpickler(data, DATA, str(path), at, filled)
        if not at:
            magic, version, _ = (machine.load() for _ in range(3))
            if (magic, version) != (MAGIC_NUMBER, 1001):
                raise NasError(f"{path}: it is not a file of torch.save")
        return machine.load()


@contextmanager
def _mapped(path: Path) -> Iterator[mmap.mmap]:
    try:
        with open(path, "rb") as stream:
            data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:  # ValueError: the file is empty
        raise NasError(f"{path}: it cannot be read ({error})") from error
    with data:
        yield data


def _start_in_archive(path: Path) -> int:
    """Return where the pickle starts inside a zip archive, in which torch compresses nothing."""
    try:
        with zipfile.ZipFile(path) as archive:
            info = next(i for i in archive.infolist() if i.filename.endswith("/data.pkl"))
    except (StopIteration, ValueError, zipfile.BadZipFile) as error:
        raise NasError(f"{path}: it is truncated or not a file of torch.save") from error
    if info.compress_type != zipfile.ZIP_STORED:
        raise NasError(f"{path}: it is compressed, which no file of torch.save is")
    with open(path, "rb") as stream:
        stream.seek(info.header_offset + 26)
        name, extra = struct.unpack("<HH", stream.read(4))
    return int(info.header_offset + 30 + name + extra)
