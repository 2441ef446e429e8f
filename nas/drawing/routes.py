"""Columns of a layered drawing, and the lines that its wires run along."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from matplotlib.path import Path

from nas.drawing.boxes import PASSING, Box, Layers, Wire, boxes_of
from nas.drawing.cells import Graph
from nas.drawing.heights import level_wires, set_heights, set_ports
from nas.drawing.layers import fold_rows, layers_of, order_layers

__all__ = ["ARROW", "Line", "Plan", "lay_out"]

Point: TypeAlias = tuple[float, float]


_TRACK = 0.11  # distance between edges that run side by side from row to row


ARROW = (0.1, 0.04)


@dataclass
class Line:
    """A wire as it is drawn."""

    path: Path
    family: str | None
    tip: Point | None  # where its arrow points; None for a piece that ends inside an edge


@dataclass
class Plan:
    """A cell ready to be painted: lengths in inches, y downwards."""

    boxes: list[Box]
    lines: list[Line]
    width: float
    height: float


def lay_out(cell: Graph) -> Plan:
    """Lay a cell out."""
    layers = order_layers(layers_of(cell, boxes_of(cell)))
    set_ports(layers)
    rows = fold_rows(layers)
    turns = [sum(len(box.ins) for box in row[0]) for row in rows[1:]]
    side = (max(turns) + 1) * _TRACK if turns else 0.0
    rights, bottoms = [], []
    top = 0.0
    for row, turn in zip(rows, [*turns, 0], strict=True):
        set_heights(row)
        level_wires(row)
        level_wires(row)
        rights.append(_set_columns(row, side))
        bottoms.append(_set_top(row, top))
        top = bottoms[-1] + (turn + 3) * _TRACK
    lines = [_line(w) for row in rows for layer in row[:-1] for box in layer for w in box.outs]
    for row, right, bottom in zip(rows[:-1], rights, bottoms, strict=False):
        lines += _turn([w for box in row[-1] for w in box.outs], right, bottom, side)
    boxes = [box for layer in layers for box in layer if box.kind != "bend"]
    return Plan(boxes, lines, max(rights) + side, bottoms[-1])


def _set_columns(row: Layers, left: float) -> float:
    """Give each layer its column, further from the last where wires climb; return the right end."""
    for before, layer in zip([[], *row], row, strict=False):
        climbs = [abs(wire.start - wire.end) for box in before for wire in box.outs]
        if before:
            left += min(0.4 + 0.16 * max(climbs, default=0.0), 0.9)
        width = max(box.width for box in layer)
        for box in layer:
            box.x, box.column = left + width / 2, (left, left + width)
        left += width
    return left


def _set_top(row: Layers, top: float) -> float:
    """Move a row down to begin at `top`; return where it ends."""
    boxes = [box for layer in row for box in layer]
    shift = top - min(box.y - box.height / 2 for box in boxes)
    for box in boxes:
        box.y += shift
    return max(box.y + box.height / 2 for box in boxes)


def _ends(wire: Wire) -> tuple[Point, Point, Point | None]:
    """Return where a wire's line starts and ends, and the tip of its arrow if it has one."""
    start = (wire.source.x + wire.source.width / 2, wire.start)
    end = (wire.target.x - wire.target.width / 2, wire.end)
    if wire.target.kind in PASSING:
        return start, end, None
    return start, (end[0] - ARROW[0] / 2, end[1]), end


def _line(wire: Wire) -> Line:
    """Run a wire level through the columns of its ends, and as an S between them."""
    start, end, tip = _ends(wire)
    a, b = wire.source.column[1], wire.target.column[0]
    half = (b - a) / 2
    points = [start, (a, start[1]), (a + half, start[1]), (b - half, end[1]), (b, end[1]), end]
    codes = [Path.MOVETO, Path.LINETO, *[Path.CURVE4] * 3, Path.LINETO]
    if tip and end[0] < b:
        points, codes = [*points[:4], end], codes[:5]
    return Line(Path(points, codes), wire.family, tip)


def _turn(wires: Sequence[Wire], right: float, bottom: float, side: float) -> Iterator[Line]:
    """Run the wires between two rows around the end of one to the start of the next, nested."""
    for i, wire in enumerate(wires):
        start, end, tip = _ends(wire)
        outer = (len(wires) - i) * _TRACK
        x, y = right + outer, bottom + _TRACK + outer
        back = side - (i + 1) * _TRACK
        corners = [start, (x, start[1]), (x, y), (back, y), (back, end[1]), end]
        yield Line(_rounded(corners), wire.family, tip)


def _rounded(corners: Sequence[Point], radius: float = 0.08) -> Path:
    """Return the polyline with its corners rounded."""
    points, codes = [np.array(corners[0])], [Path.MOVETO]
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        middle = np.array(corner)
        for end in (before, after):
            away = np.array(end) - middle
            reach = min(radius, float(np.hypot(*away)) / 2)
            points.append(middle + away / max(float(np.hypot(*away)), 1e-9) * reach)
        points.insert(-1, middle)
        codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
    return Path([*points, np.array(corners[-1])], [*codes, Path.LINETO])
