"""A folder that belongs to one piece of work, which the same call takes up again after a stop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nas.errors import NasError
from nas.storage.checkpoint import write_json

__all__ = ["open_folder"]


def open_folder(folder: Path, name: str, what: str, plan: dict[str, Any], otherwise: str) -> None:
    """Make a folder, or check that what it holds is this very work.

    Args:
        folder: It.
        name: The file in it that says what it holds.
        what: The kind of work in words, such as "training".
        plan: All that decides what comes out.
        otherwise: What to do where it holds other work.

    Raises:
        NasError: If it holds other work, or anything else.
    """
    file = folder / name
    if file.exists():
        there = _read(file)
        for key, value in json.loads(json.dumps(plan)).items():
            if there.get(key) != value:
                raise NasError(
                    f"{folder} holds a {what} with another {_first(key, there.get(key), value)}; "
                    f"{otherwise}"
                )
        return
    if folder.exists() and any(folder.iterdir()):
        raise NasError(f"{folder} is in use: it is not empty and holds no {what}")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(file, plan)


def _read(file: Path) -> dict[str, Any]:
    try:
        there = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise NasError(f"{file} is damaged: {error}") from error
    return there if isinstance(there, dict) else {}


def _first(name: str, there: Any, here: Any) -> str:
    """Name the first setting that differs, such as "train.epochs"."""
    if isinstance(there, dict) and isinstance(here, dict):
        for key, value in here.items():
            if there.get(key) != value:
                return _first(f"{name}.{key}", there.get(key), value)
    return name
