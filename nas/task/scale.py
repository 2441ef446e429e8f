"""The two scales that defaults are given for."""

from __future__ import annotations

from nas.errors import unknown

__all__ = ["SCALES", "check_scale"]

SCALES = ("small", "paper")
"""Default widths and epochs: for some thousand small examples, or as papers have them."""


def check_scale(scale: str | None) -> None:
    """Raise `NasError` for what is none of `SCALES`; None leaves it to the data."""
    if scale is not None and scale not in SCALES:
        raise unknown("scale", scale, SCALES)
