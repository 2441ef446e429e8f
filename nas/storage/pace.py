"""When to write a checkpoint: so that writing takes at most a share of the time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["SavePace"]


class SavePace:
    """Counts the time since the last save, and how long that took.

    Args:
        share: Most of the time that saving may take.
        least: Seconds between two saves in any case.
    """

    def __init__(self, share: float = 0.05, least: float = 0.0) -> None:
        self.share, self.least = share, least
        self._took = 0.0
        self._ended = time.monotonic()

    def due(self) -> bool:
        """Tell whether enough time has passed."""
        wait = max(self.least, self._took * (1 / self.share - 1))
        return time.monotonic() - self._ended >= wait

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Measure how long a save takes."""
        start = time.monotonic()
        yield
        self._ended = time.monotonic()
        self._took = self._ended - start
