"""Drawings of an architecture's graph: figures for a paper; `text` is for the terminal.

A cell is drawn in layers from left to right. An operation between two states is a label *on*
the edge that joins them; it takes a place in the layers as a box does, so labels, boxes and
edges keep apart by construction. A long chain is folded into rows, as text is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path as FilePath
from typing import IO, Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon

from nas.drawing.boxes import CAPTION, LINE, TYPE, Box, measure
from nas.drawing.cells import SYMBOL, Graph, cells_of
from nas.drawing.layers import WIDTH
from nas.drawing.palette import COLOURS, EDGE, INK, PAPER, STATE, tint
from nas.drawing.routes import ARROW, Line, Plan, lay_out
from nas.errors import NasError
from nas.storage import atomic

__all__ = ["FORMATS", "draw", "figure", "paint", "save"]

FORMATS = ("png", "svg", "pdf")


_HEADING, _TITLE = 11.0, 13.0  # points


_MARGIN = 0.2


def draw(
    graph: Graph, path: str | FilePath, *, title: str | None = None, dpi: int = 200
) -> FilePath:
    """Draw an architecture's graph into a file.

    Args:
        graph: What `SearchSpace.graph` returns: acyclic, nodes with an `op` and, where they
            apply, a `cell`, a `kind` ("input", "output", "node", "op") and, for a state, a
            `label` (its name; else its id is taken for one).
        path: Where to write. The suffix decides the format: `.png`, `.svg` or `.pdf`.
        title: A line above the drawing.
        dpi: Dots per inch of a PNG.

    Returns:
        The path. What was there before is replaced only once the new drawing is complete.

    Raises:
        NasError: The suffix is none of the three, the path cannot be written, or the graph is
            empty or has a cycle.
    """
    return save(lambda: figure(graph, title), path, dpi)


def save(make: Callable[[], Figure], path: str | FilePath, dpi: int) -> FilePath:
    """Write a figure, made after the path has been checked; arguments and errors as for `draw`."""
    path = FilePath(path)
    kind = path.suffix[1:].lower()
    if kind not in FORMATS:
        allowed = ", ".join(f".{name}" for name in FORMATS)
        raise NasError(f"cannot draw into '{path}': unknown suffix. Allowed: {allowed}.")
    if not path.parent.is_dir():
        raise NasError(f"cannot draw into '{path}': the folder '{path.parent}' does not exist.")
    drawing = make()
    with atomic(path) as stream:
        _write_figure(drawing, stream, kind, dpi)
    return path


def _write_figure(drawing: Figure, stream: IO[bytes], kind: str, dpi: int) -> None:
    """Write the figure so that the same graph gives the same bytes, with fonts papers accept."""
    dpi = min(dpi, int(65_000 / max(drawing.get_size_inches())))  # Agg has 16 bits for a side
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
    with matplotlib.rc_context({"svg.hashsalt": "nas", "pdf.fonttype": 42}):
        drawing.savefig(stream, format=kind, dpi=dpi, metadata=dates[kind])


def figure(graph: Graph, title: str | None = None) -> Figure:
    """Draw an architecture's graph, one set of axes a cell; one unit is one inch.

    Args:
        graph: As for `draw`.
        title: A line above the drawing.

    Raises:
        NasError: The graph is empty or has a cycle.
    """
    plans = [(name, lay_out(cell)) for name, cell in cells_of(graph)]
    head = 0.4 if title else 0.0
    shelves = _shelves(plans)
    width = max(sum(p.width + _MARGIN for _, p in shelf) + _MARGIN for shelf in shelves)
    width = max(width, measure(title or "", _TITLE) * 1.1 + 2 * _MARGIN)
    heights = [max(p.height + _above(name) for name, p in shelf) + _MARGIN for shelf in shelves]
    height = head + sum(heights) + _MARGIN
    drawing = Figure(figsize=(width, height), facecolor=PAPER)
    FigureCanvasAgg(drawing)
    if title:
        _write(drawing, _MARGIN / width, 1 - 0.3 / height, title, _TITLE, ha="left")
    top = head + _MARGIN
    for shelf, tall in zip(shelves, heights, strict=True):
        left = _MARGIN
        for name, plan in shelf:
            whole = plan.height + _above(name)
            box = (left / width, 1 - (top + whole) / height, plan.width / width, whole / height)
            paint(drawing.add_axes(box), plan, name)
            left += plan.width + _MARGIN
        top += tall
    return drawing


def _above(name: str) -> float:
    """The height of a cell's heading."""
    return 0.36 if name else 0.0


def _shelves(plans: Iterable[tuple[str, Plan]]) -> list[list[tuple[str, Plan]]]:
    """Put cells side by side as long as they fit, then below."""
    shelves: list[list[tuple[str, Plan]]] = []
    room = 0.0
    for name, plan in plans:
        plan.width = max(plan.width, measure(name, _HEADING) * 1.15)
        if plan.width > room or not shelves:
            shelves.append([])
            room = WIDTH
        shelves[-1].append((name, plan))
        room -= plan.width + _MARGIN
    return shelves


def paint(axes: Axes, plan: Plan, name: str) -> None:
    axes.set_xlim(0, plan.width)
    axes.set_ylim(plan.height, -_above(name))
    axes.set_axis_off()
    if name:
        _write(axes, 0, -0.2, name, _HEADING, weight="bold", ha="left")
    for line in plan.lines:
        _paint_line(axes, line)
    for box in plan.boxes:
        _paint_box(axes, box)


def _paint_line(axes: Axes, line: Line) -> None:
    """Paint a wire with a border of paper, which shows what passes over what."""
    colour = COLOURS[line.family] if line.family else EDGE
    style: Any = (0, (1, 2)) if line.family == "none" else "-"
    shared: Any = {"fill": False, "clip_on": False}
    axes.add_patch(PathPatch(line.path, lw=4.2, ec=PAPER, capstyle="butt", **shared))
    axes.add_patch(PathPatch(line.path, lw=1.3, ec=colour, ls=style, capstyle="round", **shared))
    if line.tip:
        (x, y), (length, half) = line.tip, ARROW
        corners = [(x, y), (x - length, y - half), (x - length, y + half)]
        axes.add_patch(Polygon(corners, closed=True, fc=colour, lw=0, clip_on=False))


def _paint_box(axes: Axes, box: Box) -> None:
    colour = COLOURS[box.family]
    plain = box.kind in ("input", "output", "node")
    axes.add_patch(
        FancyBboxPatch(
            (box.x - box.width / 2, box.y - box.height / 2),
            box.width,
            box.height,
            boxstyle=f"round,pad=0,rounding_size={0.14 if box.kind == 'label' else 0.07}",
            fc=STATE if plain else tint(box.family),
            ec=EDGE if plain else colour,
            lw=0 if box.kind == "label" else 1.1,
            clip_on=False,
        )
    )
    line = TYPE * LINE / 72
    below = CAPTION * LINE / 72 if box.caption else 0.0
    y = box.y - ((len(box.lines) - 1) * line + below) / 2
    for i, words in enumerate(box.lines):
        _write(axes, box.x, y + i * line, words, TYPE, color=INK)
    if box.caption:
        last = y + (len(box.lines) - 1) * line
        _write(axes, box.x, last + (line + below) / 2, box.caption, CAPTION, color=EDGE)


def _write(place: Axes | Figure, x: float, y: float, words: str, size: float, **style: Any) -> None:
    """Write a line with its x-height around `y`, so that neighbours share a base line."""
    symbol = bool(SYMBOL.match(words))
    drop = 0.36 * size / 72 if isinstance(place, Axes) else 0.0
    shown = f"${words}$" if symbol else words
    style = {"ha": "center", "color": INK, **style}
    place.text(x, y + drop, shown, size=size, va="baseline", parse_math=symbol, **style)
