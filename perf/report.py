"""Tables that grow row by row as they are measured, and the same figures as JSON."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.errors import NasError

_NOTE_WIDTH = 100


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Args:
        heading: Below it stand the cells.
        width: In characters; positive aligns right, negative left.
        group: Stands above the headings, over this column and those to its right without one.
    """

    heading: str
    width: int
    group: str = ""

    def cell(self, text: str) -> str:
        """Align a text."""
        return text.rjust(self.width) if self.width > 0 else text.ljust(-self.width)


class Report:
    """Prints tables, keeps all figures, remembers what went wrong.

    Args:
        machine: What was measured on.
        file: Written now and anew after every row; None for none.

    Raises:
        NasError: If the file cannot be written.
    """

    def __init__(self, machine: dict[str, Any], file: Path | None = None) -> None:
        self.figures: dict[str, Any] = {"machine": machine}
        self.problems: list[str] = []
        self.file = file
        self.prefix = ""
        self._columns: Sequence[Column] = ()
        self._name = ""
        try:
            self._save()  # rather now than after an hour
        except OSError as error:
            raise NasError(f"--json {file}: cannot be written ({error.strerror})") from error

    def table(self, name: str, title: str, columns: Sequence[Column], notes: str = "") -> None:
        """Begin a table.

        Args:
            name: In the JSON file.
            title: One line.
            columns: Left to right.
            notes: What a reader must know, below the title.
        """
        self._name, self._columns = name, columns
        self.figures[name] = []
        headings = "  ".join(column.cell(column.heading) for column in columns)
        lines = ["", title, "=" * len(title), *textwrap.wrap(notes, _NOTE_WIDTH), ""]
        self._print("\n".join([*lines, _groups(columns), headings, "-" * len(headings)]))

    def row(self, cells: Sequence[str], record: dict[str, Any], problem: str = "") -> None:
        """Add a row to the table.

        Args:
            cells: What is printed.
            record: What the JSON file gets.
            problem: Why the figures are worth nothing; printed below the row.
        """
        aligned = (c.cell(text) for c, text in zip(self._columns, cells, strict=True))
        self._print("  ".join(aligned).rstrip())
        if problem:
            self._print(f"*** {problem} ***")
            self.problems.append(problem)
        self._record({**record, "problem": problem or None})

    def skipped(self, what: str, reason: str) -> None:
        """Say why a row is not there."""
        self._print(f"{what}: skipped; {reason}")
        self._record({"skipped": what, "reason": reason})

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Show on a terminal what is being measured, for the time of a `with` block."""
        self.prefix = what
        self.status("")
        yield
        self.prefix = ""

    def status(self, text: str) -> None:
        """Replace the line that tells, on a terminal only, what is being done."""
        if sys.stderr.isatty():
            print(f"\r\033[K{self.prefix}: {text}", end="", file=sys.stderr, flush=True)

    def _print(self, text: str) -> None:
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        print(text, flush=True)

    def _record(self, record: dict[str, Any]) -> None:
        self.figures[self._name].append(record)
        self._save()

    def _save(self) -> None:
        if self.file is not None:
            self.file.write_text(json.dumps(self.figures, indent=2) + "\n", encoding="utf-8")


def _groups(columns: Sequence[Column]) -> str:
    """Return the line above the headings."""
    line, at = "", 0
    for column in columns:
        if column.group:
            line = line.ljust(at) + column.group
        at += abs(column.width) + 2
    return line


def short(number: float) -> str:
    """Write a number with a decimal where it is small."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.1f}"


def mebibytes(count: int) -> str:
    """Write a number of bytes in MiB."""
    return short(count / 2**20)
