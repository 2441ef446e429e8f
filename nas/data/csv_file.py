"""A table in a text file, with columns of numbers and of categories."""

from __future__ import annotations

import csv
import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nas.data.rows import given_rows
from nas.data.source import DataSettings, Request, data_source
from nas.errors import NasError, unknown
from nas.settings import require_ranges, setting
from nas.task import Labels

if TYPE_CHECKING:
    from nas.task import Task

MISSING = {"", "?", "na", "n/a", "nan", "null", "none"}
"""What stands for a value that is not there, in any case."""

_SEPARATORS = ",;\t|"
_MOST_CLASSES = 1000

Rows = list[list[str]]


@dataclass(frozen=True)
class CsvSettings(DataSettings):
    """Settings of `csv`."""

    target: str = setting("-1", "the column to predict: its name, or its number from 0; -1: last")
    test: str | None = setting(
        None, "a file of the same columns with the test examples, beside the first or by its path"
    )
    header: bool | None = setting(None, "whether the first line has names; none: as it looks")
    categorical: tuple[str, ...] = setting((), "columns of numbers that stand for categories")
    ignore: tuple[str, ...] = setting((), "columns to leave out, such as ids")
    most_categories: int = setting(1000, "of a column; rarer ones count as unknown")

    def __post_init__(self) -> None:
        ranges = {"most_categories": (self.most_categories >= 1, "at least 1")}
        require_ranges(self, "data", ranges)


@data_source(
    "csv",
    "csv:PATH, a table with a column to predict; numbers, categories, missing values",
    argument="PATH",
    settings=CsvSettings,
)
def csv_file(request: Request) -> Task:
    """Load a table of comma-separated values (or `;`, tabs or `|`).

    A column is numeric if all its values are numbers. Otherwise its values are categories, with
    codes from 1; code 0 is a missing value, or one that the training file does not have. Rows
    without a label are left out.

    Raises:
        NasError: Naming the file and line, or the column.
    """
    settings = request.settings
    assert isinstance(settings, CsvSettings)
    found = _open(request.path, settings)
    target = found.column(settings.target, "target")
    found = found.labelled(target)
    left_out = {found.column(name, "ignore") for name in settings.ignore} | {target}
    used = [i for i in range(len(found.names)) if i not in left_out]
    if not used:
        raise NasError(f"{found.path}: has no column beside '{found.names[target]}'")
    columns, categories = zip(*(_column(found, i, settings) for i in used), strict=True)
    labels = _labels(*found.values(target), found.where(target))
    facts = {
        "columns": [found.names[i] for i in used],
        "target": found.names[target],
        "content_sha256": found.sha256,
    }
    x = np.stack(columns, axis=1)
    return request.given_task(given_rows(x, labels, tuple(categories), **facts))


@dataclass(frozen=True)
class _Table:
    """What the files have.

    Args:
        path: Of the training file.
        names: Of the columns.
        rows, tests: Cells as they are written.
        sha256: Of the files' bytes.
    """

    path: Path
    names: list[str]
    rows: Rows
    tests: Rows
    sha256: str

    def column(self, given: str, what: str) -> int:
        """Return the number of a column by its name or number; `what` is the setting."""
        if given in self.names:
            return self.names.index(given)
        count = len(self.names)
        number = int(given) if given.removeprefix("-").isdecimal() else count
        if not -count <= number < count:
            raise unknown(f"column (data.{what}) of {self.path}", given, self.names)
        return number % count

    def where(self, column: int) -> str:
        """Name a column, for messages."""
        return f"{self.path}: column '{self.names[column]}'"

    def values(self, column: int) -> tuple[list[str], list[str]]:
        """Return the values of training and test rows, empty ones where they are missing."""
        rows, tests = ([_value(row[column]) for row in part] for part in (self.rows, self.tests))
        return rows, tests

    def labelled(self, target: int) -> _Table:
        """Leave out rows without a label."""
        parts = ([row for row in part if _value(row[target])] for part in (self.rows, self.tests))
        rows, tests = parts
        if not rows:
            raise NasError(f"{self.where(target)}: no row has a value")
        return replace(self, rows=rows, tests=tests)


def _open(path: Path, settings: CsvSettings) -> _Table:
    rows, content = _read(path)
    names = _header(rows, settings.header)
    if names is None:
        names = [str(i) for i in range(len(rows[0]))]
    else:
        rows = rows[1:]
    tests: Rows = []
    if settings.test is not None:
        tests, more = _read(path.parent / Path(settings.test).expanduser(), len(names))
        content += more
        if [cell.strip() for cell in tests[0]] == names:
            tests = tests[1:]
    return _Table(path, names, rows, tests, hashlib.sha256(content).hexdigest())


def _read(path: Path, columns: int | None = None) -> tuple[Rows, bytes]:
    """Read the lines that are not empty, and all bytes."""
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise NasError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise NasError(f"{path}: is not UTF-8 text ({error.reason})") from error
    first = text[: text.find("\n")] if "\n" in text else text
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(text.splitlines(), delimiter=separator, skipinitialspace=True)
    rows: Rows = []
    try:
        for row in reader:
            if not row or row == [""]:
                continue
            columns = columns or len(row)
            if len(row) != columns:
                raise NasError(
                    f"{path}: line {reader.line_num} has {len(row)} values; expected {columns}"
                )
            rows.append(row)
    except csv.Error as error:
        raise NasError(f"{path}: line {reader.line_num}: {error}") from error
    if len(rows) < 2 or (columns or 0) < 2:
        raise NasError(f"{path}: {len(rows)} rows; expected 2 or more rows and columns")
    return rows, content


def _value(cell: str) -> str:
    """Return a value, empty where it stands for none."""
    cell = cell.strip()
    return "" if cell.lower() in MISSING else cell


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _numeric(values: Sequence[str]) -> bool:
    """Tell whether there are values, and all are numbers."""
    return any(values) and all(not value or _number(value) is not None for value in values)


def _header(rows: Rows, given: bool | None) -> list[str] | None:
    """Return the names of the columns, None where the first line has none.

    As it looks: the first line has names if it names a column of numbers by what is no number or,
    where there is no such column, if none of its values comes again in its column.
    """
    first = [cell.strip() for cell in rows[0]]
    if given is None:
        columns = [[_value(row[i]) for row in rows[1:]] for i in range(len(first))]
        numeric = [_numeric(column) for column in columns]
        if any(numeric):
            given = all(_number(c) is None for c, n in zip(first, numeric, strict=True) if n)
        else:
            given = not any(c in column for c, column in zip(first, columns, strict=True))
    if not given:
        return None
    twice = [name for name, count in Counter(first).items() if count > 1]
    if twice:
        raise NasError(f"the first line names column '{twice[0]}' twice; expected different names")
    return first


def _column(found: _Table, column: int, settings: CsvSettings) -> tuple[NDArray[np.float32], int]:
    """Return the numbers of a column and 0, or its codes and how many codes there are."""
    values, others = found.values(column)
    coded = {found.column(name, "categorical") for name in settings.categorical}
    if column in coded or not _numeric(values):
        return _codes(values, others, settings.most_categories)
    return _numbers(values + others, found.where(column)), 0


def _codes(
    values: Sequence[str], others: Sequence[str], most: int
) -> tuple[NDArray[np.float32], int]:
    """Return codes of categories, and how many codes there are."""
    counts = Counter(value for value in values if value)
    frequent = sorted(sorted(counts), key=lambda value: -counts[value])[:most]
    codes = {value: code for code, value in enumerate(sorted(frequent), start=1)}
    found = np.array([codes.get(value, 0) for value in (*values, *others)], np.float32)
    return found, len(codes) + 1


def _numbers(values: Sequence[str], where: str) -> NDArray[np.float32]:
    found = [_number(value) if value else math.nan for value in values]
    if None in found:
        value = values[found.index(None)]
        raise NasError(f"{where}: '{value}' is no number, as the other file has")
    return np.array(found, np.float32)


def _labels(values: Sequence[str], others: Sequence[str], where: str) -> Labels:
    classes = sorted(set(values), key=lambda c: (_number(c) is None, _number(c) or 0.0, c))
    if len(classes) < 2:
        raise NasError(f"{where}: all labels are '{classes[0]}'; expected 2 or more classes")
    if len(classes) > min(_MOST_CLASSES, len(values) // 2):
        raise NasError(
            f"{where}: {len(classes)} different labels of {len(values)} rows; expected classes, as "
            "there is no regression (data.target names another column)"
        )
    code = {name: i for i, name in enumerate(classes)}
    # UCI's test files, Adult's among them, have a full stop after the label.
    found = [code.get(value, code.get(value.removesuffix("."))) for value in others]
    if None in found:
        raise unknown(f"label in the test file ({where})", others[found.index(None)], classes)
    y = np.array([code[value] for value in values], np.int64)
    return Labels(y, np.array(found, np.int64) if others else None, tuple(classes))
