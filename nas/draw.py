"""Drawings of an architecture's graph: figures for a paper, and plain text for the terminal.

A cell is drawn in layers from left to right (Sugiyama, Tagawa and Toda 1981): rank by longest
path, order by barycentres, straighten by least squares. An operation between two states is a
label *on* the edge that joins them; it takes a place in the layers as a box does, so labels,
boxes and edges keep apart by construction. A long chain is folded into rows, as text is.
"""

from __future__ import annotations

import os
import random
import re
import textwrap
from bisect import bisect_right, insort
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path as FilePath
from typing import Any, TypeAlias

import matplotlib
import networkx as nx
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path
from matplotlib.textpath import text_to_path

from nas.errors import NasError

__all__ = ["COLOURS", "FORMATS", "draw", "family", "figure", "text", "tint"]

Graph: TypeAlias = "nx.DiGraph[Any]"
Point: TypeAlias = tuple[float, float]

FORMATS = ("png", "svg", "pdf")

# Hues of Okabe and Ito (2008), which the common kinds of colour blindness tell apart.
COLOURS = {
    "none": "#b3b8c2",
    "skip": "#6b7280",
    "pool": "#009e73",
    "attention": "#d55e00",
    "mixture": "#8a5a2b",
    "linear": "#b5498f",
    "conv": "#0072b2",
    "norm": "#c98500",
    "other": "#4b5563",
}
# The first pattern found in an operation's name decides its family, so the order matters:
# `gat_linear` is attention, `conv_bn_relu` is a convolution.
_FAMILIES = (
    ("none", r"^(none|zero(ize)?)$"),
    ("skip", r"skip|identity|shortcut|residual"),
    ("pool", r"pool"),
    ("attention", r"att(e)?n|transformer|^gat|^msa"),
    ("mixture", r"moe|expert|router|mixture"),
    ("linear", r"linear|dense|mlp|ffn|^fc"),
    ("conv", r"conv|^(gcn|gin|sage|cheb|arma|sg|graph|ibn)"),
    ("norm", r"norm|^bn|relu|elu|tanh|sigmoid|swish"),
)
INK, EDGE, STATE, PAPER = "#1f2937", "#5b6472", "#f1f3f6", "#ffffff"

# Lengths in inches, type in points.
_TYPE, _CAPTION, _HEADING, _TITLE = 10.0, 8.0, 11.0, 13.0
_LINE = 1.3  # line height as a multiple of the type's size
_PAD = 0.09  # between a box's border and its text
_GAP = 0.13  # least vertical distance in a layer
_PORT = 0.13  # distance between edges that meet at the same side of a box
_TRACK = 0.11  # distance between edges that run side by side from row to row
_MARGIN = 0.2
_WIDTH = 9.5  # what a row tries to keep within
_ARROW = (0.1, 0.04)


def family(op: str) -> str:
    """Return the family of operations, a key of `COLOURS`, that `op` belongs to by its name."""
    name = op.lower()
    return next((key for key, pattern in _FAMILIES if re.search(pattern, name)), "other")


def tint(name: str, paper: str = PAPER) -> str:
    """Return the light colour that fills the boxes of a family: its own mixed with the paper."""
    if name == "other":
        return paper

    def channels(colour: str) -> list[int]:
        return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]

    mixed = zip(channels(COLOURS[name]), channels(paper), strict=True)
    return "#" + "".join(f"{round(0.13 * a + 0.87 * b):02x}" for a, b in mixed)


def draw(
    graph: Graph, path: str | FilePath, *, title: str | None = None, dpi: int = 200
) -> FilePath:
    """Draw an architecture's graph into a file.

    Args:
        graph: What `SearchSpace.graph` returns: acyclic, nodes with an `op` and, where they
            apply, a `cell` and a `kind` ("input", "output", "node", "op").
        path: Where to write. The suffix decides the format: `.png`, `.svg` or `.pdf`.
        title: A line above the drawing.
        dpi: Dots per inch of a PNG.

    Returns:
        The path. What was there before is replaced only once the new drawing is complete.

    Raises:
        NasError: The suffix is none of the three, the folder does not exist, or the graph is
            empty or has a cycle.
    """
    path = FilePath(path)
    kind = path.suffix[1:].lower()
    if kind not in FORMATS:
        allowed = ", ".join(f".{name}" for name in FORMATS)
        raise NasError(f"cannot draw into '{path}': unknown suffix. Allowed: {allowed}.")
    if not path.parent.is_dir():
        raise NasError(f"cannot draw into '{path}': the folder '{path.parent}' does not exist.")
    drawing = figure(graph, title)
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        _save(drawing, partial, kind, dpi)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _save(drawing: Figure, path: FilePath, kind: str, dpi: int) -> None:
    """Write the figure so that the same graph gives the same bytes, with fonts papers accept."""
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
    with matplotlib.rc_context({"svg.hashsalt": "nas", "pdf.fonttype": 42}):
        drawing.savefig(path, format=kind, dpi=dpi, metadata=dates[kind])


def figure(graph: Graph, title: str | None = None) -> Figure:
    """Draw an architecture's graph, one set of axes a cell; one unit is one inch.

    Args:
        graph: As for `draw`.
        title: A line above the drawing.

    Raises:
        NasError: The graph is empty or has a cycle.
    """
    plans = [(name, _plan(cell)) for name, cell in _cells(graph)]
    head = 0.4 if title else 0.0
    shelves = _shelves(plans)
    width = max(sum(p.width + _MARGIN for _, p in shelf) + _MARGIN for shelf in shelves)
    width = max(width, _measure(title or "", _TITLE) * 1.1 + 2 * _MARGIN)
    heights = [max(p.height + _above(name) for name, p in shelf) + _MARGIN for shelf in shelves]
    height = head + sum(heights) + _MARGIN
    drawing = Figure(figsize=(width, height), facecolor=PAPER)
    FigureCanvasAgg(drawing)
    if title:
        _write(drawing, _MARGIN / width, 1 - 0.3 / height, title, _TITLE, ha="left")
    top = head + _MARGIN
    for shelf, tall in zip(shelves, heights, strict=True):
        left = _MARGIN if len(shelf) > 1 or len(shelves) > 1 else (width - shelf[0][1].width) / 2
        for name, plan in shelf:
            whole = plan.height + _above(name)
            box = (left / width, 1 - (top + whole) / height, plan.width / width, whole / height)
            _paint(drawing.add_axes(box), plan, name)
            left += plan.width + _MARGIN
        top += tall
    return drawing


# --- What is drawn: cells, boxes and wires


@dataclass(eq=False)
class _Box:
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
    ins: list[_Wire] = field(default_factory=list)
    outs: list[_Wire] = field(default_factory=list)


@dataclass(eq=False)
class _Wire:
    """A piece of an edge, from a layer to the next; ports are heights relative to the boxes."""

    source: _Box
    target: _Box
    family: str | None  # None: plain
    leaving: float = 0.0
    entering: float = 0.0

    @property
    def start(self) -> float:
        return self.source.y + self.leaving

    @property
    def end(self) -> float:
        return self.target.y + self.entering


_Layers: TypeAlias = "list[list[_Box]]"
_PASSING = ("bend", "label")  # what an edge passes through


def _cells(graph: Graph) -> Iterator[tuple[str, Graph]]:
    """Yield each cell's name ("" where unnamed) and graph, in the order of first appearance.

    What enters a cell from another one becomes an input of it, named after its origin.
    """
    if not len(graph):
        raise NasError("cannot draw the graph: it has no nodes.")
    if not nx.is_directed_acyclic_graph(graph):
        raise NasError("cannot draw the graph: it has a cycle.")
    names = {node: str(data.get("cell") or "") for node, data in graph.nodes(data=True)}
    for name in dict.fromkeys(names.values()):
        inside = [node for node in graph if names[node] == name]
        cell: Graph = nx.DiGraph()
        for node in dict.fromkeys(p for n in inside for p in graph.pred[n] if names[p] != name):
            origin = f"{names[node]} " if names[node] else ""
            cell.add_node(node, op=origin + _op(graph, node), kind="input")
        cell.add_nodes_from((node, graph.nodes[node]) for node in inside)
        cell.add_edges_from((u, v) for u, v in graph.edges if names[v] == name)
        yield name, cell


def _op(cell: Graph, node: Hashable) -> str:
    return str(cell.nodes[node].get("op", "")) or _tail(node)


def _tail(node: Hashable) -> str:
    """The last part of a node's id, without the cell's name that makes the id unique."""
    last = node[-1] if isinstance(node, tuple) and node else node
    return re.split(r"[/:]", str(last))[-1]


def _kinds(cell: Graph) -> dict[Hashable, str]:
    """Every node's kind; "label" for an operation between two states, drawn on their edge.

    A cell without inner states, where operations feed operations, has boxes only.
    """
    states = {node: cell.nodes[node].get("kind") for node in cell}
    states = {node: kind for node, kind in states.items() if kind in ("input", "output", "node")}

    def on_edge(node: Hashable) -> bool:
        single = cell.in_degree(node) == 1 and cell.out_degree(node) == 1
        return single and all(end in states for end in (*cell.pred[node], *cell.succ[node]))

    inner = "node" in states.values()
    return {n: states.get(n) or ("label" if inner and on_edge(n) else "op") for n in cell}


def _sorted(cell: Graph) -> list[Hashable]:
    """The nodes so that what is used comes before its user, else in the graph's own order."""
    place = {node: i for i, node in enumerate(cell)}
    return list(nx.lexicographical_topological_sort(cell, key=place.__getitem__))


def _names(cell: Graph, kinds: dict[Hashable, str]) -> dict[Hashable, str]:
    """Name the states of a cell: their own numbers where they have any, such as `c_{k}`, 0, 1."""
    states = [node for node in _sorted(cell) if kinds[node] == "node"]
    digits = {node: re.search(r"\d+$", _tail(node)) for node in states}
    numbers = {node: found.group() for node, found in digits.items() if found}
    if len(set(numbers.values())) < len(states):
        numbers = {node: str(i) for i, node in enumerate(states)}
    names = dict(numbers)
    for node in cell:
        if kinds[node] in ("input", "output"):
            symbol = _tail(node) if _SYMBOL.match(_tail(node)) else ""
            fallback = _op(cell, node) if kinds[node] == "input" else "output"
            names[node] = symbol or fallback
    return names


_SYMBOL = re.compile(r"^[A-Za-z]+_\{[A-Za-z0-9+-]+\}$")  # such as c_{k-2}, set as a formula


def _boxes(cell: Graph) -> dict[Hashable, _Box]:
    kinds = _kinds(cell)
    names = _names(cell, kinds)
    boxes = {node: _box(cell, node, kind, names.get(node)) for node, kind in kinds.items()}
    for place, box in enumerate(boxes.values()):
        box.place = place
    return boxes


def _box(cell: Graph, node: Hashable, kind: str, name: str | None) -> _Box:
    """Build the box of a node, large enough for its text and the edges that meet there."""
    op = _op(cell, node)
    lines = _wrap(op if name is None else name)
    hidden = kind not in ("node", "output") or op in ("add", "sum", name, _tail(node))
    caption = "" if hidden else op
    wires = max(cell.in_degree(node), cell.out_degree(node)) - 1
    width = max(*(_measure(line, _TYPE) for line in lines), _measure(caption, _CAPTION))
    height = len(lines) * _TYPE + (_CAPTION if caption else 0)
    return _Box(
        kind,
        lines,
        caption,
        family(op) if kind in ("label", "op") else "other",
        width=max(width + 2 * _PAD, 0.34),
        height=max(height * _LINE / 72 + 1.2 * _PAD, wires * _PORT + 0.16),
    )


def _wrap(label: str, width: int = 26) -> tuple[str, ...]:
    """Break a long label at spaces, commas and underscores."""
    lines = [""]
    for part in re.findall(r"[^\s,_]*[\s,_]?", label):
        if lines[-1] and len(lines[-1]) + len(part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return tuple(line.strip() for line in lines)


def _measure(line: str, size: float) -> float:
    """Return the width of a line of text in inches."""
    symbol = bool(_SYMBOL.match(line))
    shown = f"${line}$" if symbol else line
    width, _, _ = text_to_path.get_text_width_height_descent(
        shown, FontProperties(size=size), ismath=symbol
    )
    return float(width) / 72


# --- Layered layout: rank, bend, order, fold, place


def _ranks(cell: Graph, boxes: dict[Hashable, _Box]) -> dict[Hashable, int]:
    """Rank by longest path; what may move then moves to where there is most room."""
    order = _sorted(cell)
    ranks: dict[Hashable, int] = {}
    for node in order:
        ranks[node] = 1 + max((ranks[p] for p in cell.pred[node]), default=-1)
    for node in reversed(order):
        wide = cell.out_degree(node) > cell.in_degree(node) and boxes[node].kind != "input"
        if wide:
            ranks[node] = min(ranks[s] for s in cell.succ[node]) - 1
    movable = [n for n in order if cell.in_degree(n) == cell.out_degree(n) > 0]
    for node in sorted(movable, key=lambda n: len(_window(cell, ranks, n))):
        _settle_rank(cell, boxes, ranks, node)
    return ranks


def _window(cell: Graph, ranks: dict[Hashable, int], node: Hashable) -> range:
    first = 1 + max(ranks[p] for p in cell.pred[node])
    return range(first, min(ranks[s] for s in cell.succ[node]))


def _settle_rank(
    cell: Graph, boxes: dict[Hashable, _Box], ranks: dict[Hashable, int], node: Hashable
) -> None:
    """Move a node to the rank of its window that is least full, and need not grow wider."""

    def cost(rank: int) -> float:
        others = [boxes[n] for n, r in ranks.items() if r == rank and n != node]
        wider = boxes[node].width - max((box.width for box in others), default=0.0)
        return sum(box.height + _GAP for box in others) + max(0.0, wider)

    ranks[node] = min(_window(cell, ranks, node), key=cost)


def _layers(cell: Graph, boxes: dict[Hashable, _Box]) -> _Layers:
    """Put the boxes into layers, and a bend wherever an edge passes through a layer."""
    ranks = _ranks(cell, boxes)
    layers: _Layers = [[] for _ in range(1 + max(ranks.values()))]
    for node, box in boxes.items():
        layers[ranks[node]].append(box)
    for u, v in cell.edges:
        label = next((boxes[n] for n in (u, v) if boxes[n].kind == "label"), None)
        chain = [boxes[u]]
        for rank in range(ranks[u] + 1, ranks[v]):
            chain.append(_Box("bend"))
            layers[rank].append(chain[-1])
        for source, target in pairwise([*chain, boxes[v]]):
            wire = _Wire(source, target, label.family if label else None)
            source.outs.append(wire)
            target.ins.append(wire)
    return layers


def _crossings(left: Sequence[_Box], right: Sequence[_Box]) -> int:
    """Count the crossings of the wires between two neighbouring layers."""
    place = {id(box): i for i, box in enumerate(right)}
    seen: list[int] = []
    count = 0
    for box in left:
        ends = [place[id(wire.target)] for wire in box.outs]
        count += sum(len(seen) - bisect_right(seen, end) for end in ends)
        for end in ends:
            insort(seen, end)
    return count


def _order(layers: _Layers, restarts: int = 8, sweeps: int = 6) -> _Layers:
    """Order each layer for few crossings: barycentres, then swaps of neighbours, some restarts."""
    rng = random.Random(0)
    best, least = layers, _tangle(layers)
    for restart in range(restarts):
        trial = [list(layer) for layer in layers]
        if restart:
            for layer in trial:
                rng.shuffle(layer)
        for sweep in range(sweeps):
            _sweep(trial, forward=sweep % 2 == 0)
            _swap(trial)
            for found in (trial, [layer[::-1] for layer in trial]):
                if _tangle(found) < least:
                    best, least = [list(layer) for layer in found], _tangle(found)
        if least == (0, 0):
            break
    return best


def _tangle(layers: _Layers) -> tuple[int, int]:
    """The crossings and, to decide between equals, the pairs that left the graph's own order."""
    disorder = 0
    for layer in layers:
        places = [box.place for box in layer if box.kind not in _PASSING]
        disorder += sum(a > b for i, a in enumerate(places) for b in places[i + 1 :])
    return sum(_crossings(left, right) for left, right in pairwise(layers)), disorder


def _sweep(layers: _Layers, *, forward: bool) -> None:
    pairs = list(pairwise(layers))
    for fixed, free in pairs if forward else [(b, a) for a, b in reversed(pairs)]:
        place = {id(box): i for i, box in enumerate(fixed)}
        centre = {}
        for i, box in enumerate(free):
            ends = [w.source for w in box.ins] if forward else [w.target for w in box.outs]
            places = [place[id(end)] for end in ends]
            centre[id(box)] = sum(places) / len(places) if places else float(i)
        free.sort(key=lambda box: centre[id(box)])


def _swap(layers: _Layers) -> None:
    """Swap neighbours in a layer as long as that untangles."""

    for k, layer in enumerate(layers):
        around = layers[max(k - 1, 0) : k + 2]
        now, improved = _tangle(around), True
        while improved:
            improved = False
            for i in range(len(layer) - 1):
                layer[i], layer[i + 1] = layer[i + 1], layer[i]
                then = _tangle(around)
                if then < now:
                    now, improved = then, True
                else:
                    layer[i], layer[i + 1] = layer[i + 1], layer[i]


def _fold(layers: _Layers) -> list[_Layers]:
    """Fold the layers into rows, where few wires cross and the rows become equally long."""
    widths = [max(box.width for box in layer) for layer in layers]
    ends = np.concatenate([[0.0], np.cumsum([width + 0.55 for width in widths])])
    cuts = [sum(len(box.ins) for box in layer) for layer in layers]
    best, back = [0.0], [0]
    for j in range(1, len(layers) + 1):
        costs = []
        for i in range(j):
            spare = _WIDTH - float(ends[j] - ends[i])
            row = 0.02 * spare**2 if spare >= 0 else 4 * spare**2
            costs.append(best[i] + row + (20 * cuts[i] ** 2 - 19.5 if i else 0.0))
        best.append(min(costs))
        back.append(costs.index(best[-1]))
    rows = []
    j = len(layers)
    while j:
        rows.append(layers[back[j] : j])
        j = back[j]
    return rows[::-1]


def _ports(layers: _Layers) -> None:
    """Spread the wires over a box's sides, in the order of their other ends."""
    place = {id(box): i for layer in layers for i, box in enumerate(layer)}
    for box in (box for layer in layers for box in layer):
        box.ins.sort(key=lambda wire: place[id(wire.source)])
        box.outs.sort(key=lambda wire: place[id(wire.target)])
        for i, wire in enumerate(box.ins):
            wire.entering = (i - (len(box.ins) - 1) / 2) * _PORT
        for i, wire in enumerate(box.outs):
            wire.leaving = (i - (len(box.outs) - 1) / 2) * _PORT


def _place(row: _Layers, sweeps: int = 80) -> None:
    """Choose the heights of a row's boxes so that the wires run as straight as possible.

    Layer by layer, the sum of squared slopes is minimised under the least distances; in the
    second half the squares are reweighted towards absolute values, which prefers a few bent
    wires to many slanted ones.
    """
    inside = {id(box) for layer in row for box in layer}
    for layer in row:
        offsets = _offsets(layer)
        for box, y in zip(layer, offsets - offsets.mean(), strict=True):
            box.y = float(y)
    for sweep in range(sweeps):
        for layer in row if sweep % 2 == 0 else reversed(row):
            pulls = [list(_pulls(box, inside, sharp=sweep >= sweeps // 2)) for box in layer]
            weights = np.array([sum(w for _, w in pull) + 1e-6 for pull in pulls])
            wants = np.array(
                [sum(y * w for y, w in p) + 1e-6 * b.y for p, b in zip(pulls, layer, strict=True)]
            )
            offsets = _offsets(layer)
            heights = _monotone(wants / weights - offsets, weights) + offsets
            for box, y in zip(layer, heights, strict=True):
                box.y = float(y)


def _level(row: _Layers) -> None:
    """Make level what is nearly so: long edges as a whole, then what they end at."""
    for layer in row:
        for box in layer:
            rest = _thread(box, row)
            while rest:
                count = len(rest)
                while count > 1 and np.subtract(*_room(rest[:count], row)) > 0:
                    count -= 1
                _level_piece(rest[:count], row)
                rest = rest[count:]


def _level_piece(thread: Sequence[_Box], row: _Layers) -> None:
    """Give a thread one height: a wire's at one of its ends if that is near, else its mean."""
    low, high = _room(thread, row)
    y = min(max(sum(box.y for box in thread) / len(thread), low), high)
    first, last = thread[0], thread[-1]
    ideals = [wire.start - wire.entering for wire in first.ins if first not in row[0]]
    if first.kind in _PASSING or not ideals:
        ideals += [wire.end - wire.leaving for wire in last.outs if last not in row[-1]]
    near = [ideal for ideal in ideals if low <= ideal <= high and abs(ideal - y) < 0.14]
    for box in thread:
        box.y = min(near, key=lambda ideal: abs(ideal - y), default=y)


def _thread(box: _Box, row: _Layers) -> list[_Box]:
    """The bends and labels from `box` on, if they start there; a box stands for itself."""
    if box.kind not in _PASSING:
        return [box]
    if box.ins[0].source.kind in _PASSING and box not in row[0]:
        return []
    thread = [box]
    while thread[-1] not in row[-1] and thread[-1].outs[0].target.kind in _PASSING:
        thread.append(thread[-1].outs[0].target)
    return thread


def _room(thread: Sequence[_Box], row: _Layers) -> tuple[float, float]:
    """The heights between which all of a thread can lie without its neighbours moving."""
    low, high = float("-inf"), float("inf")
    for layer in row:
        for above, below in pairwise(layer):
            step = (above.height + below.height) / 2 + 0.6 * _GAP
            if below in thread:
                low = max(low, above.y + step)
            if above in thread:
                high = min(high, below.y - step)
    return low, high


def _pulls(box: _Box, inside: set[int], *, sharp: bool) -> Iterator[tuple[float, float]]:
    """Yield the height that each wire wants its box to have, and how strongly."""
    for wire in box.ins + box.outs:
        other = wire.source if wire.target is box else wire.target
        if id(other) not in inside:
            continue
        step = wire.start - wire.end if wire.target is box else wire.end - wire.start
        weight = (1, 2, 6)[(box.kind == "bend") + (other.kind == "bend")]
        yield box.y + step, weight / max(abs(step), 0.03) if sharp else weight


def _offsets(layer: Sequence[_Box]) -> Any:
    """The heights of a layer's boxes where each lies as close to the one above as it may."""
    steps = [(a.height + b.height) / 2 + _GAP for a, b in pairwise(layer)]
    return np.concatenate([[0.0], np.cumsum(steps)])


def _monotone(wants: Any, weights: Any) -> Any:
    """Least-squares fit by a non-decreasing sequence (pool adjacent violators)."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(wants, weights, strict=True):
        blocks.append((float(value), float(weight), 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, wa, na), (b, wb, nb) = blocks[-2:]
            blocks[-2:] = [((a * wa + b * wb) / (wa + wb), wa + wb, na + nb)]
    return np.concatenate([np.full(n, value) for value, _, n in blocks])


# --- Geometry: where the columns lie and how the wires run


@dataclass
class _Line:
    """A wire as it is drawn."""

    path: Path
    family: str | None
    tip: Point | None  # where its arrow points; None for a piece that ends inside an edge


@dataclass
class _Plan:
    """A cell ready to be painted: lengths in inches, y downwards."""

    boxes: list[_Box]
    lines: list[_Line]
    width: float
    height: float


def _plan(cell: Graph) -> _Plan:
    """Lay a cell out."""
    layers = _order(_layers(cell, _boxes(cell)))
    _ports(layers)
    rows = _fold(layers)
    turns = [sum(len(box.ins) for box in row[0]) for row in rows[1:]]
    side = (max(turns) + 1) * _TRACK if turns else 0.0
    rights, bottoms = [], []
    top = 0.0
    for row, turn in zip(rows, [*turns, 0], strict=True):
        _place(row)
        _level(row)
        _level(row)
        rights.append(_set_columns(row, side))
        bottoms.append(_set_top(row, top))
        top = bottoms[-1] + (turn + 3) * _TRACK
    lines = [_line(w) for row in rows for layer in row[:-1] for box in layer for w in box.outs]
    for row, right, bottom in zip(rows, rights[:-1], bottoms[:-1], strict=False):
        lines += _turn(
            sorted((w for b in row[-1] for w in b.outs), key=lambda w: w.start), right, bottom, side
        )
    boxes = [box for layer in layers for box in layer if box.kind != "bend"]
    return _Plan(boxes, lines, max(rights) + side, bottoms[-1])


def _set_columns(row: _Layers, left: float) -> float:
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


def _set_top(row: _Layers, top: float) -> float:
    """Move a row down to begin at `top`; return where it ends."""
    boxes = [box for layer in row for box in layer]
    shift = top - min(box.y - box.height / 2 for box in boxes)
    for box in boxes:
        box.y += shift
    return max(box.y + box.height / 2 for box in boxes)


def _ends(wire: _Wire) -> tuple[Point, Point, Point | None]:
    """Return where a wire's line starts and ends, and the tip of its arrow if it has one."""
    start = (wire.source.x + wire.source.width / 2, wire.start)
    end = (wire.target.x - wire.target.width / 2, wire.end)
    if wire.target.kind in _PASSING:
        return start, end, None
    return start, (end[0] - _ARROW[0] / 2, end[1]), end


def _line(wire: _Wire) -> _Line:
    """Run a wire level through the columns of its ends, and as an S between them."""
    start, end, tip = _ends(wire)
    a, b = wire.source.column[1], wire.target.column[0]
    half = (b - a) / 2
    points = [start, (a, start[1]), (a + half, start[1]), (b - half, end[1]), (b, end[1]), end]
    codes = [Path.MOVETO, Path.LINETO, *[Path.CURVE4] * 3, Path.LINETO]
    if tip and end[0] < b:
        points, codes = [*points[:4], end], codes[:5]
    return _Line(Path(points, codes), wire.family, tip)


def _turn(wires: Sequence[_Wire], right: float, bottom: float, side: float) -> Iterator[_Line]:
    """Run the wires between two rows around the end of one to the start of the next, nested."""
    for i, wire in enumerate(wires):
        start, end, tip = _ends(wire)
        outer = (len(wires) - i) * _TRACK
        x, y = right + outer, bottom + _TRACK + outer
        back = side - (i + 1) * _TRACK
        corners = [start, (x, start[1]), (x, y), (back, y), (back, end[1]), end]
        yield _Line(_rounded(corners), wire.family, tip)


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


# --- Painting


def _above(name: str) -> float:
    """The height of a cell's heading."""
    return 0.36 if name else 0.0


def _shelves(plans: Iterable[tuple[str, _Plan]]) -> list[list[tuple[str, _Plan]]]:
    """Put cells side by side as long as they fit, then below."""
    shelves: list[list[tuple[str, _Plan]]] = []
    room = 0.0
    for name, plan in plans:
        plan.width = max(plan.width, _measure(name, _HEADING) * 1.15)
        if plan.width > room or not shelves:
            shelves.append([])
            room = _WIDTH
        shelves[-1].append((name, plan))
        room -= plan.width + _MARGIN
    return shelves


def _paint(axes: Axes, plan: _Plan, name: str) -> None:
    axes.set_xlim(0, plan.width)
    axes.set_ylim(plan.height, -_above(name))
    axes.set_axis_off()
    if name:
        _write(axes, 0, -0.2, name, _HEADING, weight="bold", ha="left")
    for line in plan.lines:
        _paint_line(axes, line)
    for box in plan.boxes:
        _paint_box(axes, box)


def _paint_line(axes: Axes, line: _Line) -> None:
    """Paint a wire with a border of paper, which shows what passes over what."""
    colour = COLOURS[line.family] if line.family else EDGE
    style: Any = (0, (1, 2)) if line.family == "none" else "-"
    shared: Any = {"fill": False, "clip_on": False}
    axes.add_patch(PathPatch(line.path, lw=4.2, ec=PAPER, capstyle="butt", **shared))
    axes.add_patch(PathPatch(line.path, lw=1.3, ec=colour, ls=style, capstyle="round", **shared))
    if line.tip:
        (x, y), (length, half) = line.tip, _ARROW
        corners = [(x, y), (x - length, y - half), (x - length, y + half)]
        axes.add_patch(Polygon(corners, closed=True, fc=colour, lw=0, clip_on=False))


def _paint_box(axes: Axes, box: _Box) -> None:
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
    line = _TYPE * _LINE / 72
    below = _CAPTION * _LINE / 72 if box.caption else 0.0
    y = box.y - ((len(box.lines) - 1) * line + below) / 2
    for i, words in enumerate(box.lines):
        _write(axes, box.x, y + i * line, words, _TYPE, color=INK)
    if box.caption:
        last = y + (len(box.lines) - 1) * line
        _write(axes, box.x, last + (line + below) / 2, box.caption, _CAPTION, color=EDGE)


def _write(place: Axes | Figure, x: float, y: float, words: str, size: float, **style: Any) -> None:
    """Write a line with its x-height around `y`, so that neighbours share a base line."""
    symbol = bool(_SYMBOL.match(words))
    drop = 0.36 * size / 72 if isinstance(place, Axes) else 0.0
    shown = f"${words}$" if symbol else words
    style = {"ha": "center", "color": INK, **style}
    place.text(x, y + drop, shown, size=size, va="baseline", parse_math=symbol, **style)


# --- Plain text


def text(graph: Graph) -> str:
    """Write an architecture's graph as plain text, a line a node: what it is computed from.

    A state reads `node 0 = sep_conv_3x3(c_{k-2}) + skip_connect(c_{k-1})`, an operation with a
    box of its own `#1 = conv_3x3(input)`, and a plain chain is written with arrows.

    Raises:
        NasError: The graph is empty or has a cycle.
    """
    blocks = []
    for name, cell in _cells(graph):
        lines = _chain(cell) or _equations(cell)
        blocks.append("\n".join([f"{name}:", *(f"  {line}" for line in lines)] if name else lines))
    return "\n\n".join(blocks)


def _chain(cell: Graph) -> list[str]:
    """Write a chain of operations with arrows; empty if the cell is not one."""
    degrees = [*dict(cell.in_degree).values(), *dict(cell.out_degree).values()]
    if max(degrees) > 1 or not nx.is_weakly_connected(cell):
        return []
    kinds = _kinds(cell)
    if "node" in kinds.values():
        return []
    names = _names(cell, kinds)
    steps = [names.get(node, _op(cell, node)) for node in _sorted(cell)]
    return textwrap.wrap(" -> ".join(steps), 96, subsequent_indent="  ", break_long_words=False)


def _equations(cell: Graph) -> list[str]:
    kinds = _kinds(cell)
    order = _sorted(cell)
    names = _names(cell, kinds)
    names.update({node: f"node {names[node]}" for node in cell if kinds[node] == "node"})
    boxes = [node for node in order if kinds[node] == "op"]
    names.update({node: f"#{i}" for i, node in enumerate(boxes, start=1)})

    def term(node: Hashable) -> str:
        if kinds[node] != "label":
            return names[node]
        return f"{_op(cell, node)}({', '.join(term(p) for p in cell.pred[node])})"

    lines = []
    for node in order:
        terms = [term(p) for p in cell.pred[node]]
        if kinds[node] == "label" or not (terms or kinds[node] == "op"):
            continue
        op = _op(cell, node)
        summed = kinds[node] != "op" and (op in ("add", "sum", names[node]) or len(terms) == 1)
        value = " + ".join(terms) if summed else f"{op}({', '.join(terms)})"
        lines.append(f"{names[node]} = {value}")
    return lines
