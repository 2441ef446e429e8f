"""Files that appear complete or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nas.errors import NasError

__all__ = ["staged"]


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """Yield a path of the same name in a temporary folder; what lies there then moves beside.

    Files that a `with` block writes next to the draft move too, before the draft itself. Where the
    block raises, nothing moves and nothing is left behind.

    Args:
        path: Where the file is to be in the end; its folder must exist.

    Raises:
        NasError: If the place cannot be written to.
    """
    folder = path.parent
    if not folder.is_dir():
        raise NasError(f"cannot write '{path}': there is no folder '{folder}'")
    if path.is_dir():
        raise NasError(f"cannot write '{path}': it is a folder")
    try:
        # In the same folder, and so in the same file system: moving is one step.
        drafts = Path(tempfile.mkdtemp(prefix=".export-", dir=folder))
    except OSError as error:
        raise NasError(f"cannot write '{path}': {error.strerror or error}") from error
    try:
        yield drafts / path.name
        _move(drafts, path)
    except OSError as error:
        raise NasError(f"cannot write '{path}': {error.strerror or error}") from error
    finally:
        shutil.rmtree(drafts, ignore_errors=True)


def _move(drafts: Path, path: Path) -> None:
    files = [file for file in drafts.iterdir() if file.is_file()]
    for file in sorted(files, key=lambda file: file.name == path.name):
        os.replace(file, path.parent / file.name)
