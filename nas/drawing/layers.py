"""Layers from left to right (Sugiyama, Tagawa and Toda 1981): rank, bend, order, fold."""

from __future__ import annotations

import random
from bisect import bisect_right, insort
from collections.abc import Hashable, Sequence
from itertools import pairwise

import numpy as np

from nas.drawing.boxes import GAP, PASSING, Box, Layers, Wire
from nas.drawing.cells import Graph, in_order

__all__ = ["WIDTH", "fold_rows", "layers_of", "order_layers"]

WIDTH = 9.5  # what a row tries to keep within


def _ranks(cell: Graph, boxes: dict[Hashable, Box]) -> dict[Hashable, int]:
    """Rank by longest path; what may move then moves to where there is most room."""
    order = in_order(cell)
    ranks: dict[Hashable, int] = {}
    for node in order:
        ranks[node] = 1 + max((ranks[p] for p in cell.pred[node]), default=-1)
    for node in reversed(order):
        if cell.out_degree(node) > cell.in_degree(node) and boxes[node].kind != "input":
            ranks[node] = min(ranks[s] for s in cell.succ[node]) - 1
    movable = [n for n in order if cell.in_degree(n) == cell.out_degree(n) > 0]
    for node in sorted(movable, key=lambda n: len(_window(cell, ranks, n))):
        _settle_rank(cell, boxes, ranks, node)
    return ranks


def _window(cell: Graph, ranks: dict[Hashable, int], node: Hashable) -> range:
    first = 1 + max(ranks[p] for p in cell.pred[node])
    return range(first, min(ranks[s] for s in cell.succ[node]))


def _settle_rank(
    cell: Graph, boxes: dict[Hashable, Box], ranks: dict[Hashable, int], node: Hashable
) -> None:
    """Move a node to the rank of its window that is least full, and need not grow wider."""

    def cost(rank: int) -> float:
        others = [boxes[n] for n, r in ranks.items() if r == rank and n != node]
        wider = boxes[node].width - max((box.width for box in others), default=0.0)
        return sum(box.height + GAP for box in others) + max(0.0, wider)

    ranks[node] = min(_window(cell, ranks, node), key=cost)


def layers_of(cell: Graph, boxes: dict[Hashable, Box]) -> Layers:
    """Put the boxes into layers, and a bend wherever an edge passes through a layer."""
    ranks = _ranks(cell, boxes)
    layers: Layers = [[] for _ in range(1 + max(ranks.values()))]
    for node, box in boxes.items():
        layers[ranks[node]].append(box)
    for u, v in cell.edges:
        label = next((boxes[n] for n in (u, v) if boxes[n].kind == "label"), None)
        chain = [boxes[u]]
        for rank in range(ranks[u] + 1, ranks[v]):
            chain.append(Box("bend"))
            layers[rank].append(chain[-1])
        for source, target in pairwise([*chain, boxes[v]]):
            wire = Wire(source, target, label.family if label else None)
            source.outs.append(wire)
            target.ins.append(wire)
    return layers


def order_layers(layers: Layers, restarts: int = 8, sweeps: int = 6) -> Layers:
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


def _tangle(layers: Layers) -> tuple[int, int]:
    """The crossings and, to decide between equals, the pairs that left the graph's own order."""
    crossings = sum(_crossings(left, right) for left, right in pairwise(layers))
    return crossings, sum(_disorder(layer) for layer in layers)


def _disorder(layer: Sequence[Box]) -> int:
    places = [box.place for box in layer if box.kind not in PASSING]
    return sum(a > b for i, a in enumerate(places) for b in places[i + 1 :])


def _crossings(left: Sequence[Box], right: Sequence[Box]) -> int:
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


def _sweep(layers: Layers, *, forward: bool) -> None:
    pairs = list(pairwise(layers))
    for fixed, free in pairs if forward else [(b, a) for a, b in reversed(pairs)]:
        place = {id(box): i for i, box in enumerate(fixed)}
        centre = {}
        for i, box in enumerate(free):
            ends = [w.source for w in box.ins] if forward else [w.target for w in box.outs]
            places = [place[id(end)] for end in ends]
            centre[id(box)] = sum(places) / len(places) if places else float(i)
        free.sort(key=lambda box: centre[id(box)])


def _swap(layers: Layers) -> None:
    """Swap neighbours in a layer as long as that untangles."""
    place = {id(box): i for layer in layers for i, box in enumerate(layer)}
    for layer in layers:
        improved = True
        while improved:
            improved = False
            for i in range(len(layer) - 1):
                a, b = layer[i], layer[i + 1]
                if _knots(a, b, place) > _knots(b, a, place):
                    layer[i], layer[i + 1] = b, a
                    place[id(a)], place[id(b)] = i + 1, i
                    improved = True


def _knots(above: Box, below: Box, place: dict[int, int]) -> tuple[int, int]:
    """What `_tangle` counts, for two neighbours."""
    ins = [(place[id(a.source)], place[id(b.source)]) for a in above.ins for b in below.ins]
    outs = [(place[id(a.target)], place[id(b.target)]) for a in above.outs for b in below.outs]
    return sum(a > b for a, b in ins + outs), _disorder([above, below])


def fold_rows(layers: Layers) -> list[Layers]:
    """Fold the layers into rows, where few wires cross and the rows become equally long."""
    widths = [max(box.width for box in layer) for layer in layers]
    ends = np.concatenate([[0.0], np.cumsum([width + 0.55 for width in widths])])
    cuts = [sum(len(box.ins) for box in layer) for layer in layers]
    best, back = [0.0], [0]
    for j in range(1, len(layers) + 1):
        costs = []
        for i in range(j):
            spare = WIDTH - float(ends[j] - ends[i])
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
