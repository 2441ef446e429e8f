"""Files of a run folder: reading them, and mending them after a kill."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from nas.errors import NasError
from nas.storage import leftovers

__all__ = ["mend", "read_json"]


def read_json(file: Path, what: str) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        file: It.
        what: What it stands for, such as "run", where it is missing.

    Raises:
        NasError: If it is missing or damaged.
    """
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NasError(f"no {what} at {file.parent}: {file.name} is missing") from None
    except (OSError, ValueError) as error:
        raise NasError(f"{file} is damaged: {error}") from error
    if not isinstance(data, dict):
        raise NasError(f"{file} is damaged: expected a JSON object")
    return data


def mend(folder: Path) -> None:
    """Remove what a kill left: last lines that are incomplete, half-written files, Optuna's lock.

    Only for who holds the run: a search under way is writing these files.
    """
    for lock in folder.glob("study.journal.lock*"):
        lock.unlink(missing_ok=True)
    for place in (folder, folder / "checkpoint"):
        for file in leftovers(place):
            file.unlink(missing_ok=True)
    for file in (folder / "study.journal", folder / "log.jsonl"):
        content = file.read_bytes() if file.exists() else b""
        if content and not content.endswith(b"\n"):
            os.truncate(file, content.rfind(b"\n") + 1)
