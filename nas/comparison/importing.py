"""Official files, read once into tables."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from nas.benchmarks import reader_of, readers
from nas.comparison.install import install, require_name
from nas.errors import NasError
from nas.progress import Console, Progress

__all__ = ["import_file"]


def import_file(
    path: str | Path,
    *,
    name: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> list[Path]:
    """Import a file or folder by every reader that recognises it.

    Args:
        path: An official file or folder, or one in the plain format.
        name: Of the table; None is the benchmark's own. Only where one reader recognises it.
        force: Whether another table of the same name may be replaced.
        progress: Where to report; None is standard error.

    Returns:
        The files of the tables; nothing is written unless the whole file was read.

    Raises:
        NasError: If no reader recognises it, it is damaged, or a table would be overwritten.
    """
    progress, path = progress or Console(), Path(path)
    if name is not None:
        require_name(name)
    reader_of(path)  # says so where nothing can read it
    able = [reader for reader in readers().values() if reader.recognises(path)]
    tables = [reader.read(path, progress) for reader in able]
    if name is not None:
        if len(tables) > 1:
            made = ", ".join(table.benchmark for table in tables)
            raise NasError(f"{path} makes {len(tables)} tables ({made}): --name is for one")
        tables = [dataclasses.replace(tables[0], benchmark=name)]
    found = []
    for table in tables:
        found.append(install(table, force))
        progress.note(f"table {table.benchmark}: {found[-1]}")
    return found
