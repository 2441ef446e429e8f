"""Heights in a layered drawing: apart as far as need be, with wires as straight as can be."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from nas.drawing.boxes import GAP, PASSING, PORT, Box, Layers

__all__ = ["level_wires", "set_heights", "set_ports"]


def set_ports(layers: Layers) -> None:
    """Spread the wires over a box's sides, in the order of their other ends."""
    place = {id(box): i for layer in layers for i, box in enumerate(layer)}
    for box in (box for layer in layers for box in layer):
        box.ins.sort(key=lambda wire: place[id(wire.source)])
        box.outs.sort(key=lambda wire: place[id(wire.target)])
        for i, wire in enumerate(box.ins):
            wire.entering = (i - (len(box.ins) - 1) / 2) * PORT
        for i, wire in enumerate(box.outs):
            wire.leaving = (i - (len(box.outs) - 1) / 2) * PORT


def set_heights(row: Layers, sweeps: int = 80) -> None:
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


def _pulls(box: Box, inside: set[int], *, sharp: bool) -> Iterator[tuple[float, float]]:
    """Yield the height that each wire wants its box to have, and how strongly."""
    for wire in box.ins + box.outs:
        other = wire.source if wire.target is box else wire.target
        if id(other) not in inside:
            continue
        step = wire.start - wire.end if wire.target is box else wire.end - wire.start
        weight = (1, 2, 6)[(box.kind == "bend") + (other.kind == "bend")]
        yield box.y + step, weight / max(abs(step), 0.03) if sharp else weight


def _offsets(layer: Sequence[Box]) -> Any:
    """The heights of a layer's boxes where each lies as close to the one above as it may."""
    steps = [(a.height + b.height) / 2 + GAP for a, b in pairwise(layer)]
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


def level_wires(row: Layers) -> None:
    """Make level what is nearly so: long edges as a whole, then what they end at."""
    above = {id(box): other for layer in row for other, box in pairwise(layer)}
    below = {id(box): other for layer in row for box, other in pairwise(layer)}
    for box in (box for layer in row for box in layer):
        piece: list[Box] = []
        low, high = -math.inf, math.inf
        for part in _thread(box, row):
            least, most = _room(part, above.get(id(part)), below.get(id(part)))
            if piece and max(low, least) > min(high, most):
                _settle(piece, row, low, high)
                piece, low, high = [], -math.inf, math.inf
            piece.append(part)
            low, high = max(low, least), min(high, most)
        if piece:  # what no piece of an edge starts at has no thread
            _settle(piece, row, low, high)


def _thread(box: Box, row: Layers) -> list[Box]:
    """The bends and labels from `box` on, if they start there; a box stands for itself."""
    if box.kind not in PASSING:
        return [box]
    if box.ins[0].source.kind in PASSING and box not in row[0]:
        return []
    thread = [box]
    while thread[-1] not in row[-1] and thread[-1].outs[0].target.kind in PASSING:
        thread.append(thread[-1].outs[0].target)
    return thread


def _room(box: Box, above: Box | None, below: Box | None) -> tuple[float, float]:
    """The heights that a box can have without its neighbours moving, a little closer allowed."""
    gap = 0.6 * GAP + box.height / 2
    low = above.y + above.height / 2 + gap if above else -math.inf
    high = below.y - below.height / 2 - gap if below else math.inf
    return low, high


def _settle(piece: Sequence[Box], row: Layers, low: float, high: float) -> None:
    """Give a thread one height: a wire's at one of its ends if that is near, else its mean."""
    y = min(max(sum(box.y for box in piece) / len(piece), low), high)
    first, last = piece[0], piece[-1]
    ideals = [wire.start - wire.entering for wire in first.ins if first not in row[0]]
    if first.kind in PASSING or not ideals:
        ideals += [wire.end - wire.leaving for wire in last.outs if last not in row[-1]]
    near = [ideal for ideal in ideals if low <= ideal <= high and abs(ideal - y) < 0.14]
    for box in piece:
        box.y = min(near, key=lambda ideal: abs(ideal - y), default=y)
