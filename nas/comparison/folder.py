"""A folder of results that are independent of each other: a config, and one line a result.

A line is written at once or not at all: a last line that a kill cut off is dropped.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nas.errors import NasError
from nas.storage import leftovers, locked, write_json

__all__ = ["ResultFolder", "open_folder"]


class ResultFolder:
    """A folder with `config.json` and a file of lines.

    Args:
        path: The folder.
        config: Every setting that the results depend on, as plain values.
        lines: Name of the file with one JSON object a result.
        growing: Parts of the config, lists or counts, that a later command may enlarge: its
            results are added to those that are there.

    Raises:
        NasError: If the folder holds something else, or results of another config.
    """

    def __init__(
        self, path: Path, config: Mapping[str, Any], lines: str, growing: Sequence[str] = ()
    ) -> None:
        self.path, self.lines = path, path / lines
        self.config: dict[str, Any] = json.loads(json.dumps(dict(config)))
        self.file = path / "config.json"
        if self.file.exists():
            self._require_same(growing)
        else:
            self._require_empty()
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise NasError(f"cannot make folder {path}: {error.strerror}") from error

    def _require_empty(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise NasError(f"{self.path} is in use: it is no folder")
        found = {*self.path.iterdir()} if self.path.exists() else set()
        if found - {*leftovers(self.path), self.path / ".lock"}:
            raise NasError(f"{self.path} is in use: it is not empty and holds nothing to continue")

    def _require_same(self, growing: Sequence[str]) -> None:
        old = self._read_config()
        for key in dict.fromkeys([*self.config, *old]):
            was, wanted = old.get(key), self.config.get(key)
            if was == wanted or (key in growing and _contains(wanted, was)):
                continue
            raise NasError(
                f"{self.path} holds results of other settings ({_difference(key, was, wanted)}); "
                "choose another --out"
            )

    def _read_config(self) -> dict[str, Any]:
        try:
            old = json.loads(self.file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise NasError(f"{self.file} is damaged: {error}") from error
        if not isinstance(old, dict):
            raise NasError(f"{self.file} is damaged: expected a JSON object")
        return old

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process, and mend what a kill has left in it.

        Raises:
            NasError: If another process holds it.
        """
        with locked(self.path):
            for file in leftovers(self.path):
                file.unlink(missing_ok=True)
            self._drop_torn_line()
            write_json(self.file, self.config)
            yield

    def _drop_torn_line(self) -> None:
        content = self.lines.read_bytes() if self.lines.exists() else b""
        if content and not content.endswith(b"\n"):
            os.truncate(self.lines, content.rfind(b"\n") + 1)

    def append(self, results: Sequence[Mapping[str, Any]]) -> None:
        """Add results."""
        text = "".join(json.dumps(result) + "\n" for result in results)
        try:
            with open(self.lines, "a", encoding="utf-8") as stream:
                stream.write(text)
        except OSError as error:
            raise NasError(f"cannot write {self.lines}: {error.strerror or error}") from error

    def results(self) -> list[dict[str, Any]]:
        """Return all results; raises `NasError` for a line that is not one."""
        found = []
        lines = self.lines.read_text(encoding="utf-8").split("\n") if self.lines.exists() else []
        for number, line in enumerate(lines[:-1], start=1):
            try:
                result = json.loads(line)
                if not isinstance(result, dict):
                    raise ValueError("not an object")
            except ValueError as error:
                raise NasError(f"{self.lines}, line {number} is damaged: {error}") from error
            found.append(result)
        return found


def _contains(new: Any, old: Any) -> bool:
    """Tell whether a list has all of another, or a count is not below another."""
    if isinstance(new, list) and isinstance(old, list):
        return all(item in new for item in old)
    return isinstance(new, int) and isinstance(old, int) and new >= old


def _difference(key: str, was: Any, wanted: Any) -> str:
    if isinstance(was, list) and isinstance(wanted, list):
        missing = [item for item in was if item not in wanted]
        if missing:
            return f"{key}: {str(missing[0])[:160]}"
    return f"{key}={was!r:.80}, not {wanted!r:.80}"


def open_folder(out: Path | None, stem: str, make: Callable[[Path], ResultFolder]) -> ResultFolder:
    """Open the folder that was chosen, or `runs/STEM`, with a number if that is taken.

    Args:
        out: The folder; None chooses one.
        stem: Its name, if it is to be chosen.
        make: Opens a folder; raises `NasError` where it cannot be used.
    """
    if out is not None:
        return make(out)
    for number in itertools.count(1):
        folder = Path("runs") / (stem if number == 1 else f"{stem}-{number}")
        try:
            return make(folder)
        except NasError:
            if not folder.exists() or number == 1000:
                raise
    raise AssertionError
