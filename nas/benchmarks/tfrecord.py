"""TFRecord files without TensorFlow: framing, and checksums of many records at once.

A record is its length (8 bytes), the checksum of that, the data, and their checksum. Checksums are
CRC-32C, masked: rotated by 15 bits, plus a constant (tensorflow/core/lib/hash/crc32c.h).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from nas.errors import NasError

__all__ = ["crc32c", "first_record", "records"]

_POLYNOMIAL = 0x82F63B78
_MASK = 0xA282EAD8
_BATCH = 4096
_LONGEST = 1 << 14
_HEADER = struct.Struct("<Q4s")


def _tables() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return what the low and the high 16 bits of a register turn into after four bytes."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, table >> 1 ^ _POLYNOMIAL, table >> 1).astype(np.uint32)
    after = [table]  # after[k]: a byte with k zero bytes behind it
    for _ in range(3):
        after.append(after[0][after[-1] & 0xFF] ^ after[-1] >> 8)
    pairs = np.arange(1 << 16)
    low, high = pairs & 0xFF, pairs >> 8
    return after[3][low] ^ after[2][high], after[1][low] ^ after[0][high]


_LOW, _HIGH = _tables()


def crc32c(parts: list[bytes]) -> NDArray[np.uint32]:
    """Return the CRC-32C of every one of many byte strings, [n].

    They are laid side by side, right-aligned, and one register each goes over four bytes at a
    time. A register that starts at zero does not see the zeros before a string; starting with all
    ones is the same as inverting the first four bytes.
    """
    lengths = np.array([len(part) for part in parts])
    width = -(-max(int(lengths.max(initial=4)), 4) // 4) * 4
    joined = b"".join([part.rjust(width, b"\0") for part in parts])
    matrix = np.frombuffer(joined, np.uint8).reshape(len(parts), width).copy()
    for place in range(4):
        rows = np.flatnonzero(lengths > place)
        matrix[rows, width - lengths[rows] + place] ^= 0xFF
    words = np.ascontiguousarray(matrix.view("<u4").T).astype(np.uint32, copy=False)
    register = np.zeros(len(parts), dtype=np.uint32)
    for word in words:
        register ^= word
        register = _LOW[register & 0xFFFF] ^ _HIGH[register >> 16]
    # of a string shorter than four bytes, some of the starting ones are left over
    left = np.where(lengths < 4, np.uint32(0xFFFFFFFF) >> (8 * np.minimum(lengths, 3)), 0)
    result: NDArray[np.uint32] = ~(register ^ left.astype(np.uint32))
    return result


def _masked(parts: list[bytes]) -> NDArray[np.uint32]:
    crc = crc32c(parts)
    masked: NDArray[np.uint32] = (crc >> 15 | crc << 17) + np.uint32(_MASK)
    return masked


def first_record(path: Path) -> bytes:
    """Return the start of the first record; nothing where the file is not framed as records."""
    try:
        with open(path, "rb") as stream:
            header = stream.read(_HEADER.size)
            if len(header) < _HEADER.size:
                return b""
            length, checksum = _HEADER.unpack(header)
            if int(_masked([header[:8]])[0]) != int.from_bytes(checksum, "little"):
                return b""
            return stream.read(min(length, 256))
    except OSError:
        return b""


def records(path: Path) -> Iterator[list[bytes]]:
    """Read all records, a few thousand at a time; all checksums are compared.

    Raises:
        NasError: That names the file, and the first record that is truncated or altered.
    """
    done = 0
    try:
        with open(path, "rb") as stream:
            while batch := _batch(stream, path, done):
                headers, parts, checksums = zip(*batch, strict=True)
                _compare(path, done, list(headers), [header[8:] for header in headers], 8)
                _compare(path, done, list(parts), list(checksums))
                yield list(parts)
                done += len(batch)
    except OSError as error:
        raise NasError(f"{path}: it cannot be read ({error})") from error


def _batch(stream: IO[bytes], path: Path, done: int) -> list[tuple[bytes, bytes, bytes]]:
    """Return up to `_BATCH` records as header, data, checksum."""
    batch = []
    for number in range(done, done + _BATCH):
        header = stream.read(_HEADER.size)
        if not header:
            break
        length = int.from_bytes(header[:8], "little")
        if len(header) == _HEADER.size and length > _LONGEST:
            raise NasError(f"{path}: record {number} is altered (a length of {length} bytes)")
        data = stream.read(length + 4)
        if len(header) < _HEADER.size or len(data) < length + 4:
            raise NasError(f"{path}: it is truncated, in record {number}")
        batch.append((header, data[:-4], data[-4:]))
    return batch


def _compare(
    path: Path, done: int, parts: list[bytes], checksums: list[Any], length: int | None = None
) -> None:
    expected = np.frombuffer(b"".join(checksums), "<u4")
    wrong = np.flatnonzero(_masked([part[:length] for part in parts]) != expected)
    if len(wrong):
        raise NasError(f"{path}: record {done + wrong[0]} is altered (its checksum is wrong)")
