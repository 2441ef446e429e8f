"""NAS-Bench-101: published facts, which cells are valid and equal, matrices, networks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise, permutations, product
from typing import Any

import numpy as np
import pytest
import torch

from nas.errors import NasError
from nas.search_spaces.cells.vertex_graphs import EDGES
from nas.search_spaces.nas_bench_101 import INCEPTION, OPERATIONS, NASBench101, Spec
from nas.space import Architecture, SearchSpace
from nas.task import TaskInfo
from nas.testing import SpaceContract

SPACE = NASBench101()
TINY = {"channels": 5, "stacks": 2, "cells": 1}
STORED: Spec = (
    [
        [0, 1, 1, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 0],
    ],
    [
        "input", "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3", "conv3x3-bn-relu",
        "conv3x3-bn-relu", "output",
    ],
)  # fmt: skip
"""What the published table gives back for the example of the published code (NASBench.ipynb)."""


class TestNASBench101(SpaceContract):
    network_settings: Mapping[str, Any] = TINY
    samples = 100

    def make_space(self) -> SearchSpace:
        return NASBench101()


def draw(n: int, seed: int = 0) -> list[Architecture]:
    return SPACE.sample(np.random.default_rng(seed), n)


def chain(*names: str) -> Spec:
    """Return a cell of one vertex after the other; "3", "1" and "m" are the operations."""
    ops = ["input", *(OPERATIONS["31m".index(name)] for name in names), "output"]
    return np.eye(len(ops), k=1, dtype=int).tolist(), ops


# -- published facts ------------------------------------------------------------------------------


def test_size() -> None:
    assert SPACE.size == 423_624


@pytest.mark.slow
def test_size_is_the_number_of_different_cells() -> None:
    """Enumerates all cells of up to 7 vertices, as the published code does."""
    assert len(different_cells(7)) == 423_624


def test_different_cells_of_few_vertices() -> None:
    """Against a count of our own, by trying all orders of the inner vertices."""
    assert [len(different_cells(n)) for n in (2, 3, 4)] == [1, 1 + 6, 1 + 6 + counted(4)]


def different_cells(most: int) -> set[int]:
    """Return the keys of all valid cells of up to `most` vertices."""
    edges = np.indices((2,) * len(EDGES), dtype=np.int8).reshape(len(EDGES), -1).T
    keys: set[int] = set()
    for count in range(2, most + 1):
        last = count - 1
        outside = [i for i, (s, t) in enumerate(EDGES) if not (s < last and (t < last or t == 6))]
        rows = edges[(edges[:, outside] == 0).all(1)].astype(np.int64)
        out = [rows[:, [i for i, e in enumerate(EDGES) if e[0] == v]].any(1) for v in range(last)]
        into = [
            rows[:, [i for i, e in enumerate(EDGES) if e[1] == v]].any(1)
            for v in (*range(1, last), 6)
        ]
        rows = rows[np.all([*out, *into, rows.sum(1) <= 9], axis=0)]
        for labels in product(range(3), repeat=count - 2):
            ops = np.broadcast_to([*labels, *([0] * (7 - count))], (len(rows), 5))
            keys.update(SPACE.keys(np.hstack([rows, ops])).tolist())
    return keys


def counted(vertices: int) -> int:
    """Count full graphs of so many vertices that no order of the inner vertices makes equal."""
    pairs = [(s, t) for s in range(vertices) for t in range(s + 1, vertices)]
    last, seen, count = vertices - 1, set(), 0
    for bits in product((0, 1), repeat=len(pairs)):
        there = [pair for pair, bit in zip(pairs, bits, strict=True) if bit]
        starts, ends = {s for s, _ in there}, {t for _, t in there}
        if starts != set(range(last)) or ends != set(range(1, vertices)):
            continue
        for labels in product(range(3), repeat=vertices - 2):
            if (frozenset(there), labels) in seen:
                continue
            count += 1
            for order in permutations(range(1, last)):
                to = dict(zip(range(1, last), order, strict=True)) | {0: 0, last: last}
                moved = frozenset((to[s], to[t]) for s, t in there)
                seen.add((moved, tuple(labels[order.index(v)] for v in range(1, last))))
    return count


def test_canonical_is_what_the_published_table_holds() -> None:
    a = SPACE.from_spec(*INCEPTION)
    assert SPACE.to_spec(SPACE.canonical(a)) == STORED
    assert SPACE.canonical(a) == SPACE.from_spec(*STORED) == SPACE.canonical(SPACE.canonical(a))


def test_published_parameters() -> None:
    """`trainable_parameters` of that example."""
    with torch.device("meta"):
        network = SPACE.build(
            SPACE.catalogue()["Inception-like"], TaskInfo((3, 32, 32), 10),
            **SPACE.network_defaults("paper"),
        )  # fmt: skip
    assert sum(p.numel() for p in network.parameters()) == 2_694_282


# -- which cells are valid ------------------------------------------------------------------------


def test_a_way_must_lead_through() -> None:
    matrix, ops = chain("3", "1")
    matrix[1][2] = 0
    with pytest.raises(NasError, match="no way leads from the input to the output"):
        SPACE.from_spec(matrix, ops)


def test_at_most_nine_edges_count_after_pruning() -> None:
    full = np.triu(np.ones((7, 7), dtype=int), 1)
    ops = ["input", *[OPERATIONS[0]] * 5, "output"]
    with pytest.raises(NasError, match=r"ways from .* have 21 edges; allowed are 9"):
        SPACE.from_spec(full.tolist(), ops)
    full[4:6, 6] = 0  # vertices 4 and 5 lead nowhere: 21 edges become 10 and then 9
    with pytest.raises(NasError, match="have 10 edges"):
        SPACE.from_spec(full, ops)
    full[0, 6] = 0
    assert SPACE.check(SPACE.from_spec(full, ops)) is None


def test_feasible_agrees_with_constraint_and_a_plain_search() -> None:
    rows = np.random.default_rng(0).integers(0, SPACE.cardinalities, (300, 26))
    expected = [pruned_edges(row) in range(1, 10) for row in rows]
    assert SPACE.feasible(rows).tolist() == expected
    assert [SPACE.constraint(a) is None for a in SPACE.from_array(rows)] == expected


def pruned_edges(row: np.ndarray) -> int:
    """Count edges on ways from input to output by following all ways."""
    targets = {
        v: [t for (s, t), on in zip(EDGES, row, strict=False) if on and s == v] for v in range(7)
    }
    found: set[tuple[int, int]] = set()

    def follow(way: list[int]) -> None:
        if way[-1] == 6:
            found.update(pairwise(way))
        for target in targets[way[-1]]:
            follow([*way, target])

    follow([0])
    return len(found)


# -- equal cells ----------------------------------------------------------------------------------


def shuffled(a: Architecture, rng: np.random.Generator) -> Architecture:
    """Write the same cell with its inner vertices in another order, where edges allow one."""
    matrix, ops = SPACE.to_spec(a)
    last = len(ops) - 1
    orders = [
        order
        for order in permutations(range(1, last))
        if all(
            order[i] < order[j]
            for i, j in product(range(last - 1), repeat=2)
            if matrix[i + 1][j + 1]
        )
    ]
    order = (0, *orders[rng.integers(len(orders))], last)
    moved = np.zeros_like(matrix)
    for s, t in zip(*np.nonzero(matrix), strict=True):
        moved[order[s], order[t]] = 1
    return SPACE.from_spec(moved, [ops[order.index(v)] for v in range(last + 1)])


def test_canonical_does_not_hang_on_the_order_of_vertices() -> None:
    rng = np.random.default_rng(0)
    changed = 0
    for a in draw(200):
        b = shuffled(a, rng)
        changed += a != b
        assert SPACE.canonical(a) == SPACE.canonical(b)
    assert changed > 50


def test_canonical_does_not_hang_on_what_is_pruned() -> None:
    for a in draw(50):
        b = SPACE.from_spec(*SPACE.to_spec(a))
        assert SPACE.canonical(a) == SPACE.canonical(b)
        matrix, ops = SPACE.to_spec(SPACE.canonical(a), pruned=False)
        unused = range(len(SPACE.to_spec(a)[1]) - 1, 6)
        for vertex in unused:
            assert ops[vertex] == OPERATIONS[0]
            assert not any(matrix[vertex]) and not any(row[vertex] for row in matrix)


def test_canonical_keeps_different_cells_apart() -> None:
    """Two operations on ways of their own, in all four pairs of chains."""
    specs = [chain("3", "1"), chain("1", "3"), chain("3", "m"), chain("3"), chain("3", "3")]
    assert len({SPACE.canonical(SPACE.from_spec(*spec)) for spec in specs}) == len(specs)
    both = [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
    one, other = (
        SPACE.from_spec(both, ["input", *ops, "output"])
        for ops in (OPERATIONS[:2], OPERATIONS[1::-1])
    )
    assert one != other and SPACE.canonical(one) == SPACE.canonical(other)


def test_keys_are_equal_where_canonical_is() -> None:
    rows = SPACE.sample_choices(np.random.default_rng(0), 3000)
    keys = SPACE.keys(rows)
    assert keys.dtype == np.uint64
    pairs = set(zip(keys.tolist(), map(SPACE.canonical, SPACE.from_array(rows)), strict=True))
    assert len(pairs) == len({key for key, _ in pairs}) == len({a for _, a in pairs}) < 3000


# -- matrices -------------------------------------------------------------------------------------


def test_specs() -> None:
    a = SPACE.from_spec(*INCEPTION)
    assert SPACE.to_spec(a) == INCEPTION
    assert SPACE.from_spec(np.array(INCEPTION[0]), INCEPTION[1]) == a
    assert SPACE.options(a)["6<-5"] == 1 and SPACE.options(a)["op1"] == "conv1x1-bn-relu"
    small = SPACE.from_spec(*chain("m"))
    assert SPACE.to_spec(small) == chain("m")
    matrix, ops = SPACE.to_spec(small, pruned=False)
    assert len(ops) == 7 and np.sum(matrix) == 2 and matrix[0][1] == matrix[1][6] == 1
    direct = ([[0, 1], [0, 0]], ["input", "output"])
    assert SPACE.to_spec(SPACE.from_spec(*direct)) == direct


def test_notation() -> None:
    for spec in (INCEPTION, chain("3", "m", "1")):
        text = json.dumps({"matrix": spec[0], "ops": spec[1]})
        assert SPACE.to_spec(SPACE.parse(text)) == spec
    assert json.loads(SPACE.format(SPACE.from_spec(*INCEPTION)))["matrix"] == INCEPTION[0]


MATRIX, OPS = chain("3", "1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected {.matrix"),
        ("[]", "expected {.matrix"),
        ("{}", "expected {.matrix"),
        ("[" * 10_000, "expected {.matrix"),
        ({"matrix": MATRIX, "ops": 3}, "ops must be a list of 2 to 7 names; got 3"),
        ({"matrix": MATRIX, "ops": ["input"]}, "ops must be a list of 2 to 7 names"),
        ({"matrix": [[0] * 8] * 8, "ops": ["input"] * 8}, "ops must be a list of 2 to 7 names"),
        ({"matrix": MATRIX[1:], "ops": OPS}, "matrix must be 4 rows of 4 numbers"),
        ({"matrix": [0] * 4, "ops": OPS}, "matrix must be 4 rows of 4 numbers"),
        ({"matrix": "0101", "ops": OPS}, "matrix must be 4 rows of 4 numbers"),
        ({"matrix": [[2] * 4] * 4, "ops": OPS}, r"matrix\[0\]\[0\] is 2; allowed are 0 and 1"),
        ({"matrix": [[[]] * 4] * 4, "ops": OPS}, r"matrix\[0\]\[0\] is \[\]; allowed are 0 and 1"),
        ({"matrix": MATRIX[::-1], "ops": OPS}, r"matrix\[2\]\[2\] is 1; .* below the diagonal"),
        ({"matrix": MATRIX, "ops": [*OPS[:3], "end"]}, "must start with input and end with output"),
        (
            {"matrix": MATRIX, "ops": ["input", "conv3x3", "maxpool3x3", "output"]},
            "unknown operation of vertex 1 'conv3x3'. Did you mean 'conv3x3-bn-relu'",
        ),
        ({"matrix": MATRIX, "ops": ["input", [], "maxpool3x3", "output"]}, "operation of vertex 1"),
    ],
)
def test_parse_says_what_is_wrong(text: Any, message: str) -> None:
    with pytest.raises(NasError, match=message) as error:
        SPACE.parse(text if isinstance(text, str) else json.dumps(text))
    assert len(str(error.value)) < 300


def test_graph_is_pruned() -> None:
    full = np.triu(np.ones((7, 7), dtype=int), 1)
    full[4:6, 6] = full[0, 6] = 0
    graph = SPACE.graph(SPACE.from_spec(full, ["input", *[OPERATIONS[2]] * 5, "output"]))
    assert set(graph) == {"input", "1", "2", "3", "output"}
    assert graph.number_of_edges() == 9
    assert [graph.nodes[v]["op"] for v in ("input", "1", "output")] == [
        "input", "maxpool3x3", "output",
    ]  # fmt: skip


# -- networks -------------------------------------------------------------------------------------


def test_equal_cells_have_equal_networks() -> None:
    """Also where the channels of the output cannot be shared equally."""
    rng = np.random.default_rng(1)
    for a in draw(10, seed=3):
        shapes = [
            [tuple(p.shape) for p in SPACE.build(b, TaskInfo((3, 8, 8), 2), **TINY).parameters()]
            for b in (a, shuffled(a, rng))
        ]
        assert shapes[0] == shapes[1]


def test_no_supernet() -> None:
    a = SPACE.from_spec(*INCEPTION)
    for call in (lambda: SPACE.supernet(None), lambda: SPACE.path(a), lambda: SPACE.derive({})):
        with pytest.raises(
            NasError, match=r"'nas-bench-101' has no supernet: the width of a vertex"
        ):
            call()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channels": 4}, "network.channels=4: expected at least 5"),
        ({"stacks": 0}, "network.stacks=0: expected at least 1"),
        ({"momentum": 0.0}, r"network.momentum=0.0: expected a number above 0, at most 1"),
        ({"layers": 3}, "unknown setting of network 'layers'"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(NasError, match=message):
        SPACE.build(SPACE.from_spec(*INCEPTION), TaskInfo((3, 8, 8), 2), **settings)
