"""An explanation as a figure: a bar chart whose bars are named by little graphs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from nas.drawing import EDGE, INK, PAPER, Plan, cells_of, lay_out, paint, save
from nas.errors import NasError
from nas.explain.effects import Effect
from nas.explain.explanation import Explanation

__all__ = ["draw_explanation", "figure_of"]

GOOD, BAD = "#2166ac", "#b2182b"  # the ends of a scale that the colour-blind can read

# Inches.
_MARGIN, _BARS, _NUMBER, _SEEN, _GAP = 0.25, 2.6, 0.75, 1.05, 0.3
_HEAD, _TITLE, _SPACE, _FOOT = 0.62, 0.42, 0.16, 0.3
_BAR = 0.2


def draw_explanation(
    explanation: Explanation, path: Path | str, top: int = 6, dpi: int = 200
) -> Path:
    """Draw the sub-structures that help and harm most, with their effects and counts.

    Args:
        explanation: What `explain` returns.
        path: Where to write; the suffix decides the format: `.png`, `.svg` or `.pdf`.
        top: How many of each.
        dpi: Dots per inch of a PNG.

    Raises:
        NasError: The path cannot be written, or there is nothing to draw.
    """
    return save(lambda: figure_of(explanation, top), path, dpi)


@dataclass
class _Row:
    """One bar: its effect, and the layout of its graph."""

    effect: Effect
    plan: Plan

    @property
    def name(self) -> str:
        return self.effect.motif.label[0]

    @property
    def height(self) -> float:
        return self.plan.height + (0.36 if self.name else 0.0) + _SPACE


def figure_of(explanation: Explanation, top: int = 6) -> Figure:
    """Return the figure that `draw_explanation` writes.

    Raises:
        NasError: No sub-structure helps or harms.
    """
    blocks = [_rows(explanation.good[:top]), _rows(explanation.bad[:top])]
    rows = [row for block in blocks for row in block]
    if not rows:
        raise NasError("there is nothing to draw: no sub-structure was seen often enough")
    left = _MARGIN + _BARS + _NUMBER + _SEEN + _GAP
    width = max(left + max(row.plan.width for row in rows) + _MARGIN, 8.0)
    height = _HEAD + sum(row.height for row in rows) + _FOOT
    height += _TITLE * sum(bool(block) for block in blocks)
    page = _Page(Figure(figsize=(width, height), facecolor=PAPER), explanation, width, height)
    FigureCanvasAgg(page.figure)
    page.heading()
    y = _HEAD
    for block, title, colour in zip(blocks, _titles(explanation), (GOOD, BAD), strict=True):
        if block:
            page.text(_MARGIN, y + _TITLE / 2, title, 11, weight="bold", color=colour)
            page.text(left, y + _TITLE / 2, "sub-structure", 9, color=EDGE)
            page.text(left - _GAP, y + _TITLE / 2, "seen in", 9, color=EDGE, ha="right")
            y += _TITLE
        for row in block:
            page.row(row, y, left, max(abs(r.effect.change) for r in rows), colour)
            y += row.height
    return page.figure


def _rows(effects: Sequence[Effect]) -> list[_Row]:
    plans = [lay_out(next(iter(cells_of(effect.motif.graph())))[1]) for effect in effects]
    return [_Row(effect, plan) for effect, plan in zip(effects, plans, strict=True)]


def _titles(explanation: Explanation) -> tuple[str, str]:
    metric = explanation.goal.metric
    words = ("raises", "lowers") if explanation.goal.sign > 0 else ("lowers", "raises")
    return f"What {words[0]} {metric}", f"What {words[1]} {metric}"


@dataclass
class _Page:
    """A figure that is written on in inches from its upper left corner."""

    figure: Figure
    explanation: Explanation
    width: float
    height: float

    def text(self, x: float, y: float, words: str, size: float, **style: str) -> None:
        given: Any = {"ha": "left", "va": "center", "color": INK, **style}
        self.figure.text(x / self.width, 1 - y / self.height, words, size=size, **given)

    def heading(self) -> None:
        e = self.explanation
        self.text(
            _MARGIN, 0.24, f"Sub-structures and {e.goal.metric}: {e.space}", 13, weight="bold"
        )
        words = (
            f"{e.architectures} architectures. Expected change of {e.unit}, for one more of it; "
            f"rank correlation, each left out: {e.correlation:.2f}"
        )
        self.text(_MARGIN, 0.48, words, 9, color=EDGE)

    def row(self, row: _Row, top: float, left: float, most: float, colour: str) -> None:
        """Draw a bar, its number, how often it was seen, and the graph."""
        middle = top + row.height / 2
        length = _BARS * abs(row.effect.change) / most
        self.figure.add_artist(
            Rectangle(
                (_MARGIN / self.width, 1 - (middle + _BAR / 2) / self.height),
                length / self.width,
                _BAR / self.height,
                transform=self.figure.transFigure,
                facecolor=colour,
                linewidth=0,
            )
        )
        change = self.explanation.shown(row.effect.change, signed=True)
        self.text(_MARGIN + length + 0.07, middle, change, 10)
        seen = f"{row.effect.count} of {self.explanation.architectures}"
        self.text(left - _GAP, middle, seen, 9, color=EDGE, ha="right")
        whole = row.height - _SPACE
        box = (
            left / self.width,
            1 - (top + _SPACE / 2 + whole) / self.height,
            row.plan.width / self.width,
            whole / self.height,
        )
        paint(self.figure.add_axes(box), row.plan, row.name)
