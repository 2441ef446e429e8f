"""The architecture in the notation of its space's field."""

from __future__ import annotations

from pathlib import Path

from nas.export.request import Request

__all__ = ["write"]


def write(request: Request, path: Path) -> None:
    """Write the notation, on one line; the space's `parse` reads it."""
    space, architecture = request.decided("genotype")
    path.write_text(space.format(architecture) + "\n", encoding="utf-8")
