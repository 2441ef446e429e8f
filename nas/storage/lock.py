"""One process at a time in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nas.errors import NasError

__all__ = ["locked"]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for this process, by the operating system's lock on its file `.lock`.

    A process that is killed lets go of it; the file stays.

    Raises:
        NasError: If another process holds it, or the file system has no locks.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(str(folder / ".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise NasError(f"{folder} is in use by another process") from None
    except (OSError, NotImplementedError) as error:
        raise NasError(f"cannot lock {folder}: {error}; choose a folder on a local disk") from error
    try:
        yield
    finally:
        lock.release()
