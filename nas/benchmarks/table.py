"""A published table as one checked, memory-mapped file: architectures and what is known of them.

The file: the line `nas-bench-table 1`, a line with the length of the header and its CRC-32, the
header (JSON), then arrays at multiples of 64 bytes. The header names every array with its place,
type, shape and CRC-32. Opening reads the header only; `verify` reads all.
"""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas import registry
from nas.benchmarks.columns import Column, Problem
from nas.benchmarks.index import ABSENT, Index, build_index
from nas.errors import NasError, unknown
from nas.space import Architecture, Choices, SearchSpace
from nas.storage import atomic

__all__ = ["ABSENT", "Table", "TableData", "write_table"]

MAGIC = b"nas-bench-table 1\n"
SUFFIX = ".table"
_ALIGN = 64
_LONGEST_HEADER = 1 << 24
_MALFORMED = (
    NasError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError,
)  # fmt: skip
"""What a header may raise whose checksum is right and whose contents are not."""


@dataclass
class TableData:
    """What a reader makes of an official file.

    Args:
        benchmark: Its name, such as "nas-bench-201".
        space: Name of the search space of its architectures.
        choices: Every architecture once, [n, number of decisions].
        columns: What is known of them.
        arrays: Column name -> float array [n], or [n, seeds]; NaN where a number is missing.
        problems: The questions it answers; the first is the default.
        source: Which file it was made of, and whose work it is.
    """

    benchmark: str
    space: str
    choices: Choices
    columns: Sequence[Column]
    arrays: Mapping[str, NDArray[Any]]
    problems: Sequence[Problem]
    source: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def write_table(data: TableData, path: Path) -> None:
    """Write a table, atomically.

    Args:
        data: What to write; it is checked first.
        path: The file.

    Raises:
        NasError: If the data do not fit together, or the file cannot be written.
    """
    space = registry.get("search_spaces", data.space).factory()
    _check(data, space)
    arrays: dict[str, NDArray[Any]] = {"choices": _compact(data.choices)}
    arrays |= build_index(space, data.choices).arrays()
    for column in data.columns:
        arrays[f"column:{column.name}"] = np.asarray(data.arrays[column.name], dtype="<f4")
    header: dict[str, Any] = {
        "benchmark": data.benchmark,
        "space": data.space,
        "source": data.source,
        "facts": data.facts,
        "columns": [dataclasses.asdict(column) for column in data.columns],
        "problems": [dataclasses.asdict(problem) for problem in data.problems],
        "arrays": {},
    }
    at = 0
    for name, array in arrays.items():
        arrays[name] = array = np.ascontiguousarray(array)
        header["arrays"][name] = {
            "at": at, "type": array.dtype.str, "shape": list(array.shape),
            "crc": zlib.crc32(array.tobytes()),
        }  # fmt: skip
        at = _aligned(at + array.nbytes)
    text = json.dumps(header).encode()
    with atomic(path) as stream:
        stream.write(MAGIC + f"{len(text):010d} {zlib.crc32(text):010d}\n".encode() + text)
        for array in arrays.values():
            stream.write(b"\0" * (_aligned(stream.tell()) - stream.tell()))
            stream.write(array.tobytes())


def _aligned(at: int) -> int:
    return -(-at // _ALIGN) * _ALIGN


def _compact(choices: Choices) -> NDArray[Any]:
    return choices.astype(np.uint8 if choices.max(initial=0) < 256 else np.int32)


def _check(data: TableData, space: SearchSpace) -> None:
    n = len(data.choices)
    if not n or data.choices.shape[1] != len(space.decisions):
        raise NasError(f"{data.source}: no architectures of space '{data.space}' in it")
    outside = ((data.choices < 0) | (data.choices >= np.array(space.cardinalities))).any(1)
    if outside.any():
        row = int(outside.argmax())
        raise NasError(f"{data.source}: row {row} is no architecture of space '{data.space}'")
    names = [column.name for column in data.columns]
    if len(set(names)) < len(names):
        raise NasError(f"{data.source}: two columns of one name among {', '.join(names)}")
    for column in data.columns:
        shape = np.shape(data.arrays.get(column.name, ()))
        if shape not in ((n,), (n, column.seeds)):
            raise NasError(f"{data.source}: column '{column.name}' has shape {shape}, not ({n},)")
    for problem in data.problems:
        problem.require(names, data.benchmark)


class Table:
    """A table that is open: its arrays lie in the file and are read where they are asked for.

    Args:
        path: What `write_table` has written.

    Raises:
        NasError: If the file is not one, is truncated, altered or of another version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        header, self._start = _read_header(path)
        try:
            self.benchmark: str = header["benchmark"]
            self.space_name: str = header["space"]
            self.source: str = header["source"]
            self.facts: dict[str, Any] = header["facts"]
            columns = [Column.from_json(column) for column in header["columns"]]
            self.columns = {column.name: column for column in columns}
            problems = [Problem.from_json(problem) for problem in header["problems"]]
            self.problems = {problem.name: problem for problem in problems}
            self._places: dict[str, Any] = header["arrays"]
            self._arrays = self._map()
            self._require_arrays()
        except EOFError:
            raise _damaged(path, "it is truncated") from None
        except _MALFORMED as error:
            raise _damaged(path, f"its header lacks something ({error})") from error

    def _require_arrays(self) -> None:
        """Raise where what the header describes is not there."""
        index = ("index",) if "index" in self._arrays else ("keys", "order")
        for name in ("choices", *index, *(f"column:{column}" for column in self.columns)):
            self._arrays[name]
        for problem in self.problems.values():
            problem.require(self.columns, self.benchmark)

    def _map(self) -> dict[str, NDArray[Any]]:
        mapped = np.memmap(self.path, np.uint8, mode="r")
        arrays = {}
        for name, place in self._places.items():
            dtype, shape = np.dtype(place["type"]), tuple(place["shape"])
            start = self._start + place["at"]
            part = mapped[start : start + int(np.prod(shape)) * dtype.itemsize]
            if part.nbytes != int(np.prod(shape)) * dtype.itemsize:
                raise EOFError
            arrays[name] = part.view(dtype).reshape(shape).view(np.ndarray)
        return arrays

    def verify(self) -> None:
        """Compare all contents with their checksums; raises `NasError` if they were altered."""
        for name, place in self._places.items():
            if zlib.crc32(self._arrays[name].tobytes()) != place["crc"]:
                raise _damaged(self.path, f"array '{name}' was altered")

    # -- architectures ------------------------------------------------------------------------

    @cached_property
    def space(self) -> SearchSpace:
        """The search space of the architectures."""
        space: SearchSpace = registry.get("search_spaces", self.space_name).factory()
        return space

    @cached_property
    def _index(self) -> Index:
        return Index.from_arrays(self.space, self._arrays)

    def __len__(self) -> int:
        return len(self._arrays["choices"])

    @property
    def choices(self) -> NDArray[Any]:
        """All architectures, [n, number of decisions]."""
        return self._arrays["choices"]

    def architecture(self, row: int) -> Architecture:
        """Return the architecture of a row."""
        return Architecture(self.space_name, tuple(map(int, self.choices[row])))

    def rows(self, choices: Choices) -> NDArray[np.int64]:
        """Return the rows of a population [m, d], as [m]; `ABSENT` where the table has none.

        An architecture that is not there itself is looked for by its canonical form.
        """
        return self._index.rows(choices)

    def row(self, architecture: Architecture) -> int:
        """Return the row of one architecture, or `ABSENT`."""
        return self._index.row(architecture)

    # -- numbers ------------------------------------------------------------------------------

    def column(self, name: str) -> NDArray[Any]:
        """Return a column as it lies in the file: float32 [n] or [n, seeds].

        Raises:
            NasError: For a column that does not exist.
        """
        if name not in self.columns:
            raise unknown(f"column of {self.benchmark}", name, self.columns)
        return self._arrays[f"column:{name}"]

    def values(
        self, name: str, rows: NDArray[np.int64] | None = None, seed: int | None = None
    ) -> NDArray[np.float64]:
        """Return numbers of a column.

        Args:
            name: The column's.
            rows: Which, [m]; None: all. `ABSENT` gives NaN.
            seed: Which training; None: the mean of those there are.

        Returns:
            Float array [m], NaN where the table has no number.
        """
        values = self.column(name)
        if rows is not None:
            values = values[rows]  # an absent row reads the last one, and is replaced below
        values = values.astype(np.float64)
        if values.ndim == 2:
            values = _over_seeds(values, self.columns[name], seed)
        elif seed:
            raise unknown(f"seed of column {name}", str(seed), ["0"])
        return values if rows is None else np.where(rows == ABSENT, np.nan, values)


def _over_seeds(
    values: NDArray[np.float64], column: Column, seed: int | None
) -> NDArray[np.float64]:
    if seed is None:
        there = ~np.isnan(values)
        counts = there.sum(1)
        sums = np.where(there, values, 0.0).sum(1)
        mean: NDArray[np.float64] = np.where(counts, sums / np.maximum(counts, 1), np.nan)
        return mean
    if not 0 <= seed < column.seeds:
        raise unknown(f"seed of column {column.name}", str(seed), map(str, range(column.seeds)))
    return values[:, seed]


def _damaged(path: Path, reason: str) -> NasError:
    return NasError(f"{path} is not a whole benchmark table: {reason}; import it anew")


def _read_header(path: Path) -> tuple[dict[str, Any], int]:
    """Return the header and where the arrays start."""
    try:
        with open(path, "rb") as stream:
            magic, sizes = stream.read(len(MAGIC)), stream.read(22)
            if magic != MAGIC:
                raise _damaged(path, f"it does not begin with '{MAGIC.decode().strip()}'")
            length, crc = (int(part) for part in sizes.split())
            if length > _LONGEST_HEADER:
                raise ValueError("its header is too long")
            text = stream.read(length)
        if len(text) != length or zlib.crc32(text) != crc:
            raise ValueError("its header was cut off or altered")
        header: dict[str, Any] = json.loads(text)
    except FileNotFoundError:
        raise NasError(f"there is no benchmark table at {path}") from None
    except (OSError, RecursionError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    return header, _aligned(len(MAGIC) + len(sizes) + length)
