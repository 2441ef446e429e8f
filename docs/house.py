"""Draws the wings of the package and who imports whom, from the code: `python docs/house.py`.

Every package below `nas/`, and every file beside them, is a room; it stands above all that it
imports (imports for type checking only are left out). Of the arrows those are drawn that do not
follow from others. `docs/house.svg` is what it writes; a test compares the two.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "house.svg"

Arrows = dict[str, set[str]]
"""Room -> the rooms that it imports."""

_WIDTH, _BOX, _HEIGHT, _ROW = 1280, 134, 66, 112  # pixels
_TOP, _LINE, _CHARACTERS, _SIDE = 40, 11, 24, 12
_INK, _PAPER, _EDGE = "#1f2937", "#ffffff", "#94a3b8"
_HUES = ("#d55e00", "#0072b2", "#009e73", "#b5498f", "#8a5a2b", "#4b5563")  # Okabe and Ito, darker


def rooms() -> dict[str, Path]:
    """Return name -> folder or file of every room; `__init__` and `__main__` only hand on."""
    package = ROOT / "nas"
    wings = {file.parent.name: file.parent for file in package.glob("*/__init__.py")}
    files = {file.stem: file for file in package.glob("*.py") if not file.stem.startswith("_")}
    return dict(sorted((wings | files).items()))


def caption(room: Path) -> str:
    """Return the first sentence of a room's docstring."""
    file = room / "__init__.py" if room.is_dir() else room
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split())


def imports(file: Path) -> Iterator[str]:
    """Yield the modules of this package that a file imports when it runs."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    skipped = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for statement in block.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in skipped or not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        if node.module == "nas":
            yield from (f"nas.{alias.name}" for alias in node.names)
        elif node.module.startswith("nas."):
            yield node.module


def arrows() -> Arrows:
    """Return who imports whom."""
    known, found = rooms(), {}
    for name, room in known.items():
        files = room.rglob("*.py") if room.is_dir() else [room]
        named = {module.split(".")[1] for file in files for module in imports(file)}
        found[name] = (named & {*known}) - {name}
    return found


def floors(graph: Arrows) -> dict[str, int]:
    """Return room -> floor: 0 for one that imports nothing, else one above the highest it does."""
    heights: dict[str, int] = {}

    def height(room: str, below: tuple[str, ...] = ()) -> int:
        if room in below:
            raise ValueError(f"circle of imports: {' -> '.join([*below, room])}")
        if room not in heights:
            stands_on = [height(other, (*below, room)) for other in sorted(graph[room])]
            heights[room] = 1 + max(stands_on, default=-1)
        return heights[room]

    return {room: height(room) for room in graph}


def essential(graph: Arrows) -> Arrows:
    """Leave out arrows that follow from others (the transitive reduction)."""
    reached: Arrows = {}
    for room in sorted(graph, key=floors(graph).__getitem__):
        reached[room] = graph[room].union(*(reached[other] for other in graph[room]))
    return {
        room: {o for o in below if not any(o in reached[other] for other in below)}
        for room, below in graph.items()
    }


def places(graph: Arrows) -> dict[str, tuple[float, int]]:
    """Return room -> middle of its upper edge; rooms stand near what they are tied to."""
    heights = floors(graph)
    rows: list[list[str]] = [[] for _ in range(max(heights.values()) + 1)]
    for room, floor in heights.items():
        rows[floor].append(room)
    tied = {room: sorted(graph[room] | {o for o in graph if room in graph[o]}) for room in graph}
    x = {room: position for row in rows for room, position in zip(row, _spread(row), strict=True)}
    for _ in range(24):
        for row in rows:
            row.sort(key=lambda room: (_mean([x[other] for other in tied[room]]), room))
            x.update(zip(row, _spread(row), strict=True))
    top = len(rows) - 1
    return {room: (x[room], _TOP + (top - floor) * _ROW) for room, floor in heights.items()}


def _mean(numbers: list[float]) -> float:
    return sum(numbers) / max(1, len(numbers))


def _spread(row: list[str]) -> list[float]:
    """Return the middles of a row's boxes."""
    step = min(_BOX + 50, (_WIDTH - 2 * _SIDE - _BOX) / max(1, len(row) - 1))
    start = (_WIDTH - step * (len(row) - 1)) / 2
    return [start + step * position for position in range(len(row))]


def picture() -> str:
    """Return the drawing as SVG text."""
    graph = arrows()
    where, tied = places(graph), essential(graph)
    height = _TOP + _ROW * max(floors(graph).values()) + _HEIGHT + 24
    count = sum(map(len, graph.values()))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" font-family="Helvetica, Arial, sans-serif">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto-start-reverse"><path d="M0 0 L8 4 L0 8 z" '
        f'fill="{_EDGE}"/></marker></defs>',
        f'<rect width="{_WIDTH}" height="{height}" fill="{_PAPER}"/>',
        f'<text x="16" y="22" font-size="13" fill="{_INK}">{len(graph)} rooms on '
        f"{max(floors(graph).values()) + 1} floors; a room imports only from below. Of {count} "
        "arrows those are drawn that do not follow from others.</text>",
    ]
    for room in sorted(tied):
        parts += [_arrow(where[room], where[other]) for other in sorted(tied[room])]
    hues = floors(graph)
    for room, path in rooms().items():
        parts.append(_box(room, caption(path), where[room], _HUES[hues[room] % len(_HUES)]))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _arrow(start: tuple[float, int], end: tuple[float, int]) -> str:
    (x0, y0), (x1, y1) = (start[0], start[1] + _HEIGHT), end
    bend = (y1 - y0) / 2
    curve = f"{x0:.0f} {y0 + bend:.0f} {x1:.0f} {y1 - bend:.0f} {x1:.0f} {y1}"
    return (
        f'<path d="M{x0:.0f} {y0} C{curve}" '
        f'fill="none" stroke="{_EDGE}" stroke-width="1.2" marker-end="url(#tip)"/>'
    )


def _box(name: str, text: str, place: tuple[float, int], hue: str) -> str:
    x, y = place[0] - _BOX / 2, place[1]
    lines = textwrap.wrap(text, _CHARACTERS, max_lines=4, placeholder=" …")
    rows = "".join(
        f'<tspan x="{place[0]:.0f}" dy="{_LINE}">{escape(line)}</tspan>' for line in lines
    )
    return (
        f'<rect x="{x:.0f}" y="{y}" width="{_BOX}" height="{_HEIGHT}" rx="5" fill="{_PAPER}" '
        f'stroke="{hue}" stroke-width="1.6"/>'
        f'<text x="{place[0]:.0f}" y="{y + 14}" font-size="13" font-weight="bold" '
        f'text-anchor="middle" fill="{hue}">{escape(name)}</text>'
        f'<text y="{y + 16}" font-size="9.5" text-anchor="middle" fill="{_INK}">{rows}</text>'
    )


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
    print(f"drawn in {PICTURE.relative_to(ROOT)}")
