"""The log of a run: one event a line, appended."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

__all__ = ["Log"]


class Log:
    """`log.jsonl` in the folder of a run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._logged: set[tuple[Any, ...]] | None = None

    def log(self, event: dict[str, Any]) -> None:
        """Append an event to `log.jsonl`."""
        with open(self.folder / "log.jsonl", "a", encoding="utf-8") as stream:
            stream.write(json.dumps(event) + "\n")

    def log_once(self, event: dict[str, Any]) -> None:
        """Append an event unless it was logged before the search was killed and continued."""
        if self._logged is None:
            self._logged = set(map(_key, self.events()))
        if _key(event) not in self._logged:
            self.log(event)
            self._logged.add(_key(event))

    def log_size(self) -> int:
        """Return the length of the log in bytes, to be kept in a checkpoint."""
        file = self.folder / "log.jsonl"
        return file.stat().st_size if file.exists() else 0

    def rewind_log(self, size: int) -> None:
        """Forget events after a checkpoint: they are about to happen again."""
        file = self.folder / "log.jsonl"
        if file.exists() and file.stat().st_size > size:
            os.truncate(file, size)
        self._logged = None

    def events(self) -> list[dict[str, Any]]:
        """Read the log; a last line that a kill cut off is left out."""
        file = self.folder / "log.jsonl"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        events = []
        for line in lines:
            try:
                events.append(json.loads(line))
            except ValueError:
                continue
        return events


def _key(event: dict[str, Any]) -> tuple[Any, ...]:
    """Return what tells an event of a log from the others."""
    return tuple(event.get(name) for name in ("event", "phase", "epoch", "number"))
