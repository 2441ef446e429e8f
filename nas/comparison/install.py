"""A new table among the imported ones, never in the place of another."""

from __future__ import annotations

import filecmp
import os
import tempfile
from pathlib import Path

from nas.benchmarks import SUFFIX, Table, TableData, home, write_table
from nas.errors import NasError

__all__ = ["install", "require_name"]


def require_name(name: str) -> str:
    """Return a table's name; raises `NasError` for one that could not be a file's."""
    if not name or name.startswith(".") or any(sign in name for sign in "/\\: \0"):
        raise NasError(f"'{name}' is no name for a table: no /, :, space or leading dot")
    return name


def install(data: TableData, force: bool = False) -> Path:
    """Write a table to where `open_table` finds it by its name.

    Args:
        data: The table.
        force: Whether another table of this name may be replaced.

    Returns:
        The file; a table with the very same contents stays as it is.

    Raises:
        NasError: If there is another of this name, or the file cannot be written.
    """
    folder = home()
    target = folder / f"{require_name(data.benchmark)}{SUFFIX}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=folder) as place:
            made = Path(place) / target.name
            write_table(data, made)
            Table(made).verify()
            if target.exists() and not force and not filecmp.cmp(made, target, shallow=False):
                raise NasError(
                    f"{target} is another table of this name; choose another name (--name), or "
                    "replace it (--force)"
                )
            os.replace(made, target)
    except OSError as error:
        reason = error.strerror or error
        raise NasError(f"cannot write {target}: {reason}; NAS_HOME chooses the folder") from error
    return target
