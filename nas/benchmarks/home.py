"""Where imported tables are kept, and how one is found by name."""

from __future__ import annotations

import os
from pathlib import Path

from nas import registry
from nas.benchmarks.benchmark import Benchmark
from nas.benchmarks.reader import Reader
from nas.benchmarks.table import SUFFIX, Table, write_table
from nas.errors import NasError, unknown
from nas.progress import Progress, Silent

__all__ = ["home", "installed", "open_benchmark", "open_table", "reader_of"]


def home() -> Path:
    """Return the folder of imported tables: `NAS_HOME`, or `nas` in the user's data folder."""
    chosen = os.environ.get("NAS_HOME")
    if chosen:
        return Path(chosen)
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "nas"


def installed() -> dict[str, Path]:
    """Return the tables that were imported: name -> file."""
    return {file.name.removesuffix(SUFFIX): file for file in sorted(home().glob(f"*{SUFFIX}"))}


def readers() -> dict[str, Reader]:
    """Return a reader of every benchmark that can be read."""
    return {name: entry.factory() for name, entry in registry.names("benchmarks").items()}


def reader_of(path: Path) -> Reader:
    """Return the reader that recognises a file or folder; raises `NasError` if none does."""
    if not path.exists():
        raise NasError(f"there is no file or folder {path}")
    for reader in readers().values():
        if reader.recognises(path):
            return reader
    raise NasError(
        f"{path} is no benchmark's file that can be read: there are {', '.join(readers())} "
        "(nas bench list says what their files are called and hold)"
    )


def open_table(name: str, progress: Progress | None = None) -> Table:
    """Open a table.

    Args:
        name: Of an imported one or of one that is built in, or a file that ends in `.table`.
        progress: Where to report, for a table that is made at its first use.

    Raises:
        NasError: If there is none, or its file is damaged.
    """
    if name.endswith(SUFFIX):
        return Table(Path(name))
    tables = installed()
    if name in tables:
        return Table(tables[name])
    known = readers()
    if name not in known:
        raise unknown("benchmark", name, sorted({*known, *tables}))
    if not known[name].built_in:
        raise NasError(
            f"benchmark '{name}' was not imported yet; do so with: nas bench import FILE "
            f"({known[name].files})"
        )
    return _make_built_in(name, known[name], progress or Silent())


def _make_built_in(name: str, reader: Reader, progress: Progress) -> Table:
    folder = home()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NasError(
            f"cannot make folder {folder}: {error.strerror}; set NAS_HOME to another"
        ) from error
    progress.note(f"making the table of {name} (once)")
    write_table(reader.read(None, progress), folder / f"{name}{SUFFIX}")
    return Table(folder / f"{name}{SUFFIX}")


def open_benchmark(text: str, progress: Progress | None = None) -> Benchmark:
    """Open `NAME` or `NAME:PROBLEM`, such as `nas-bench-graph:cora`.

    Args:
        text: A table's name (or its file), and which of its problems; without one, the first.
        progress: Where to report.

    Raises:
        NasError: If there is no such table or problem.
    """
    name, colon, problem = text.rpartition(":")
    if not colon or problem.endswith(SUFFIX):
        name, problem = text, ""
    table = open_table(name, progress)
    if problem and problem not in table.problems:
        raise unknown(f"problem of {name}", problem, table.problems)
    return Benchmark(table, table.problems[problem or next(iter(table.problems))])
