"""The sources of Python's standard library as text."""

from __future__ import annotations

import hashlib
import os
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nas.data.source import Request, data_source
from nas.data.text import TextSettings, given_text
from nas.errors import NasError
from nas.settings import setting

if TYPE_CHECKING:
    from nas.task import Task

_LEFT_OUT = {"site-packages", "dist-packages", "test", "tests", "idlelib", "lib2to3", "pydoc_data"}


@dataclass(frozen=True)
class StdlibSettings(TextSettings):
    """Settings of `stdlib`."""

    size: int = setting(2**17, "bytes to take")
    context: int = setting(32, "bytes of one example")


@data_source(
    "stdlib",
    "bytes of the standard library's own sources: which byte comes next, nothing to download",
    settings=StdlibSettings,
)
def stdlib(request: Request) -> Task:
    """Load modules of the running Python, in an order that follows from their names alone.

    Other versions of Python have other sources: `describe` has the hash of the text.

    Raises:
        NasError: When there are not as many bytes.
    """
    settings = request.settings
    assert isinstance(settings, StdlibSettings)
    folder = Path(sysconfig.get_path("stdlib"))
    files = _files(folder)
    there = sum(file.stat().st_size for file in files)
    if there < settings.size:
        raise NasError(
            f"data 'stdlib': data.size={settings.size}: {folder} has {there} bytes of Python; "
            "expected at most these, or use text:PATH"
        )
    found = bytearray()
    for file in files:
        if len(found) >= settings.size:
            break
        found += file.read_bytes()
    content = bytes(found[: settings.size])
    return request.given_task(given_text(content, settings, request.spec))


def _files(folder: Path) -> list[Path]:
    """Return the library's modules, shuffled by the hashes of their names."""
    named = {}
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _LEFT_OUT]
        for file in (Path(place) / name for name in files if name.endswith(".py")):
            named[file.relative_to(folder).as_posix()] = file
    return [named[n] for n in sorted(named, key=lambda n: hashlib.sha256(n.encode()).digest())]
