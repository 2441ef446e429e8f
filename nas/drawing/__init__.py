"""Drawing architectures: where nodes stand, how edges run, in which colours."""

from __future__ import annotations

from nas.drawing.cells import cells_of, text
from nas.drawing.draw import draw, figure, paint, save
from nas.drawing.palette import COLOURS, EDGE, INK, PAPER, STATE, tint
from nas.drawing.routes import Plan, lay_out

__all__ = [
    "COLOURS", "EDGE", "INK", "PAPER", "STATE", "Plan", "cells_of", "draw", "figure", "lay_out",
    "paint", "save", "text", "tint",
]  # fmt: skip
