"""The plain format: any table of architectures and numbers, as CSV or as a NumPy archive.

CSV: lines `# key: value` (see `plain_header`), a line of names, one line an architecture. The
column `architecture` has the space's own notation; every other is named as `Column.name` says. A
name that is there several times has one training each time. An empty field is a missing number.

    # space: nas-bench-macro
    # benchmark: my-table
    # problem: cifar10 search=cifar10/valid_accuracy@50 costs=params
    architecture,cifar10/valid_accuracy@50,cifar10/valid_accuracy@50,params
    22212220,0.9312,0.9298,3205386

NumPy archive: arrays `architecture` (texts), one a column [n] or [n, trainings], and a text or list
of texts a key: `space`, `benchmark`, `problem` ...
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from nas import registry
from nas.benchmarks.checks import naming, parse_architectures, require_numbers
from nas.benchmarks.columns import Column
from nas.benchmarks.npz import array_names, read_arrays, texts_of
from nas.benchmarks.plain_header import KEYS, Header
from nas.benchmarks.reader import Reader
from nas.benchmarks.table import TableData
from nas.errors import NasError
from nas.progress import Progress

__all__ = ["PlainReader"]

_ARCHITECTURE = "architecture"
_MOST_HEADER_LINES = 1000


@registry.register(
    "benchmarks", "plain", "any table in a documented plain format, .csv or .npz, named by its file"
)
class PlainReader(Reader):
    """Reads the plain format; the benchmark's name and space are in the file."""

    files = ".csv or .npz with 'space', 'benchmark', 'problem' and a column 'architecture'"

    def recognises(self, path: Path) -> bool:
        if path.suffix == ".npz":
            return not {_ARCHITECTURE, "space"}.isdisjoint(array_names(path))
        return path.suffix == ".csv" and path.is_file() and _has_space(path)

    def read(self, path: Path | None, progress: Progress) -> TableData:
        if path is None:
            raise NasError(f"benchmark 'plain' is read from a file: {self.files}")
        with naming(path, "table in the plain format"):
            return _npz(path) if path.suffix == ".npz" else _csv(path)


# -- CSV --------------------------------------------------------------------------------------


def _open(path: Path) -> TextIO:
    return open(path, encoding="utf-8-sig", newline="")


def _has_space(path: Path) -> bool:
    """Tell whether the lines at the top name a space."""
    with open(path, encoding="utf-8-sig", errors="replace") as stream:
        for _, line in zip(range(_MOST_HEADER_LINES), stream, strict=False):
            if not line.startswith("#"):
                return False
            if line[1:].partition(":")[0].strip() == "space":
                return True
    return False


def _csv(path: Path) -> TableData:
    _require_last_line(path)
    header = Header()
    texts: list[str] = []
    lines: list[int] = []
    rows: list[list[float]] = []
    with _open(path) as stream:
        numbered = _body(stream, header)
        line, names = next(numbered, (0, []))
        if names.count(_ARCHITECTURE) != 1:
            raise NasError(f"line {line}: expected the columns' names, '{_ARCHITECTURE}' once")
        at = names.index(_ARCHITECTURE)
        for line, fields in numbered:
            if len(fields) != len(names):
                raise NasError(f"line {line} has {len(fields)} fields; {len(names)} are named")
            lines.append(line)
            texts.append(fields[at])
            named = zip(names, fields, strict=True)
            rows.append([_number(f, n, line) for n, f in named if n != _ARCHITECTURE])
    values = np.array(rows, dtype=np.float64).reshape(len(rows), len(names) - 1)
    arrays = _by_name([name for name in names if name != _ARCHITECTURE], values)
    return _table(header, texts, arrays, lambda row: f"line {lines[row]}", path.name)


def _body(stream: TextIO, header: Header) -> Iterator[tuple[int, list[str]]]:
    """Take up the lines of the header; yield the others with their numbers."""
    begun, above = stream.readline(), 0
    while begun.startswith("#"):
        above += 1
        key, colon, value = begun[1:].partition(":")
        try:
            if not colon:
                raise NasError(f"expected '# key: value', not {begun.strip()[:80]!r}")
            header.add(key.strip(), value.strip())
        except NasError as error:
            raise NasError(f"line {above}: {error}") from error
        begun = stream.readline()
    reader = csv.reader(_again(begun, stream), strict=True)
    for fields in reader:
        if fields:
            yield above + reader.line_num, [field.strip() for field in fields]


def _again(first: str, rest: TextIO) -> Iterator[str]:
    yield first
    yield from rest


def _number(text: str, name: str, line: int) -> float:
    try:
        return float(text) if text else np.nan
    except ValueError:
        raise NasError(f"line {line}: '{name}' is {text[:40]!r}; expected a number") from None


def _by_name(names: Sequence[str], values: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """Join columns of one name: [n], or [n, trainings] where there are several."""
    arrays: dict[str, NDArray[Any]] = {}
    for name in dict.fromkeys(names):
        columns = [i for i, other in enumerate(names) if other == name]
        arrays[name] = values[:, columns[0]] if len(columns) == 1 else values[:, columns]
    return arrays


def _require_last_line(path: Path) -> None:
    """Refuse a file whose last line does not end: a number may have lost its last digits."""
    with open(path, "rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - 1))
        if stream.read(1) != b"\n":
            raise NasError("its last line has no end; the file may be truncated")


# -- NumPy archives ---------------------------------------------------------------------------


def _npz(path: Path) -> TableData:
    arrays = read_arrays(path)
    if _ARCHITECTURE not in arrays:
        raise NasError(f"has no array '{_ARCHITECTURE}'")
    texts = texts_of(arrays, _ARCHITECTURE)
    header = Header()
    for key in KEYS:
        for value in texts_of(arrays, key) if key in arrays else ():
            header.add(key, value)
    rest = {n: a for n, a in arrays.items() if n not in (_ARCHITECTURE, *KEYS)}
    for name, array in rest.items():
        if array.dtype.kind not in "fiu" or array.ndim not in (1, 2) or len(array) != len(texts):
            raise NasError(
                f"'{name}' is {array.dtype} {list(array.shape)}; expected numbers "
                f"[{len(texts)}] or [{len(texts)}, trainings]"
            )
    numbers = {name: array.astype(np.float64) for name, array in rest.items()}
    return _table(header, texts, numbers, lambda row: f"architecture[{row}]", path.name)


# -- both -------------------------------------------------------------------------------------


def _table(
    header: Header,
    texts: Sequence[str],
    arrays: dict[str, NDArray[Any]],
    where: Callable[[int], str],
    file: str,
) -> TableData:
    header.require_count(len(texts))
    if not texts or not arrays:
        raise NasError("has no architectures with numbers")
    seeds = {name: array.shape[1] if array.ndim == 2 else 1 for name, array in arrays.items()}
    columns = header.columns(seeds)
    problems = header.problems(columns)
    benchmark, choices = header.benchmark, parse_architectures(header.space, texts, where)
    require_numbers(arrays, where)
    for column in columns:
        _require_shares(column, arrays[column.name], where)
    source = header.once.get("source")
    source = f"{file}: {source}" if source else file
    return TableData(benchmark, header.space, choices, columns, arrays, problems, source)


def _require_shares(column: Column, array: NDArray[Any], where: Callable[[int], str]) -> None:
    if column.unit != "share":
        return
    strays = ((array < 0) | (array > 1)).reshape(len(array), -1).any(1)
    if strays.any():
        row = int(strays.argmax())
        raise NasError(
            f"{where(row)}: '{column.name}' is {np.ravel(array[row])}; shares lie between 0 and 1 "
            "(93.1 per cent is 0.931)"
        )
