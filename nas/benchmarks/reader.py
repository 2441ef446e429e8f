"""What a reader of a benchmark's official files is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from nas.benchmarks.table import TableData
from nas.progress import Progress

__all__ = ["Reader"]


class Reader(ABC):
    """Turns the official files of one benchmark into a table; they are data, never code.

    A subclass is registered under the benchmark's name (kind "benchmarks"), one a file.
    """

    files: ClassVar[str]
    """What the official files are called and where they are found, for messages and lists."""
    makes: ClassVar[str] = ""
    """The name of the table it makes; empty: the benchmark's own."""
    built_in: ClassVar[bool] = False
    """Whether `read` needs no file, because a dependency carries the numbers."""

    @abstractmethod
    def recognises(self, path: Path) -> bool:
        """Tell from its name and its first bytes whether a file or folder may be one of these."""

    @abstractmethod
    def read(self, path: Path | None, progress: Progress) -> TableData:
        """Read the files.

        Args:
            path: A file or folder; None for a benchmark that is built in.
            progress: Where to report what takes long.

        Raises:
            NasError: That names the file, where it is truncated, foreign, or holds anything but
                data.
        """
