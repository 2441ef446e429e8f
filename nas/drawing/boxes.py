"""The pieces of a layered drawing: boxes, labels and bends, joined by wires; their sizes."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TypeAlias

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from nas.drawing.cells import SYMBOL, Graph, is_sum, kinds_of, names_of, op_of
from nas.drawing.palette import family

__all__ = [
    "CAPTION",
    "GAP",
    "LINE",
    "PASSING",
    "PORT",
    "TYPE",
    "Box",
    "Layers",
    "Wire",
    "boxes_of",
    "measure",
]

# Lengths in inches, type in points.
TYPE, CAPTION = 10.0, 8.0


LINE = 1.3  # line height as a multiple of the type's size


_PAD = 0.09  # between a box's border and its text


GAP = 0.13  # least vertical distance in a layer


PORT = 0.13  # distance between edges that meet at the same side of a box


@dataclass(eq=False)
class Box:
    """A thing with a place in a layer: a box, a label on an edge, or a bend of a long edge."""

    kind: str  # "input", "output", "node", "op", "label" or "bend"
    lines: tuple[str, ...] = ()
    caption: str = ""
    family: str = "other"
    place: int = 0  # in the graph's own order
    width: float = 0.0
    height: float = 0.0
    x: float = 0.0  # the centre
    y: float = 0.0
    column: tuple[float, float] = (0.0, 0.0)  # left and right end of its layer
    ins: list[Wire] = field(default_factory=list)
    outs: list[Wire] = field(default_factory=list)


@dataclass(eq=False)
class Wire:
    """A piece of an edge, from a layer to the next; ports are heights relative to the boxes."""

    source: Box
    target: Box
    family: str | None  # None: plain
    leaving: float = 0.0
    entering: float = 0.0

    @property
    def start(self) -> float:
        return self.source.y + self.leaving

    @property
    def end(self) -> float:
        return self.target.y + self.entering


Layers: TypeAlias = "list[list[Box]]"


PASSING = ("bend", "label")  # what an edge passes through


def boxes_of(cell: Graph) -> dict[Hashable, Box]:
    """Build a box for every node of a cell."""
    kinds = kinds_of(cell)
    names = names_of(cell, kinds)
    boxes = {node: _box(cell, node, kind, names.get(node)) for node, kind in kinds.items()}
    for place, box in enumerate(boxes.values()):
        box.place = place
    return boxes


def _box(cell: Graph, node: Hashable, kind: str, name: str | None) -> Box:
    """Build the box of a node, large enough for its text and the edges that meet there."""
    op = op_of(cell, node)
    lines = _wrap(op if name is None else name)
    caption = op if kind in ("node", "output") and not is_sum(cell, node) else ""
    wires = max(cell.in_degree(node), cell.out_degree(node)) - 1
    width = max(*(measure(line, TYPE) for line in lines), measure(caption, CAPTION))
    height = len(lines) * TYPE + (CAPTION if caption else 0)
    return Box(
        kind,
        lines,
        caption,
        family(op) if kind in ("label", "op") else "other",
        width=max(width + 2 * _PAD, 0.34),
        height=max(height * LINE / 72 + 1.2 * _PAD, wires * PORT + 0.16),
    )


def _wrap(label: str, width: int = 26) -> tuple[str, ...]:
    """Break a long label at spaces, commas and underscores."""
    lines = [""]
    for part in re.findall(r"[^\s,_]*[\s,_]?", label):
        if lines[-1] and len(lines[-1]) + len(part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return tuple(line.strip() for line in lines)


def measure(line: str, size: float) -> float:
    """Return the width of a line of text in inches."""
    symbol = bool(SYMBOL.match(line))
    shown = f"${line}$" if symbol else line
    width, _, _ = text_to_path.get_text_width_height_descent(
        shown, FontProperties(size=size), ismath=symbol
    )
    return float(width) / 72
