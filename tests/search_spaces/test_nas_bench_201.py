"""NAS-Bench-201: published facts, the notation, and agreement with the published table."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nas.errors import NasError
from nas.search_spaces.nas_bench_201 import OPERATIONS, NASBench201
from nas.space import Architecture
from nas.task import TaskInfo

SPACE = NASBench201()
CIFAR, TINY = TaskInfo((3, 32, 32), 10), TaskInfo((3, 8, 8), 10)
TABLE = Path(__file__).parents[2] / "../shared/data/nasbench201_cifar10.npz"
BEST = (
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|"
    "+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
)


def same_everywhere(operation: str) -> Architecture:
    return Architecture("nas-bench-201", (OPERATIONS.index(operation),) * 6)


def everything() -> list[Architecture]:
    return [Architecture("nas-bench-201", row) for row in product(range(5), repeat=6)]


def parameters(a: Architecture) -> int:
    with torch.device("meta"):
        network = SPACE.build(a, CIFAR, **SPACE.network_defaults("paper"))
    return sum(p.numel() for p in network.parameters())


# -- published facts --------------------------------------------------------------------------


def test_size() -> None:
    assert SPACE.size == len(everything()) == 15_625


def test_classes() -> None:
    assert len({SPACE.canonical(a) for a in everything()}) == 6_466


@pytest.mark.parametrize(
    ("operation", "count"),
    [("nor_conv_3x3", 1_531_546), ("nor_conv_1x1", 241_306), ("skip_connect", 73_306)],
)
def test_parameters(operation: str, count: int) -> None:
    assert parameters(same_everywhere(operation)) == count


# -- the published table ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def table() -> Any:
    if not TABLE.is_file():
        pytest.skip(f"no {TABLE.name} beside the repository")
    return dict(np.load(TABLE, allow_pickle=False))


def test_notation_of_the_table(table: Any) -> None:
    texts = table["arch_str"].tolist()
    found = [SPACE.parse(text) for text in texts]
    assert [SPACE.format(a) for a in found] == texts
    assert len(set(found)) == 15_625


def test_classes_of_the_table(table: Any) -> None:
    """Two cells are equal here exactly where they are equal there."""
    pairs = {
        (SPACE.canonical(SPACE.parse(text)), int(label))
        for text, label in zip(table["arch_str"].tolist(), table["iso_class"], strict=True)
    }
    assert len(pairs) == len({a for a, _ in pairs}) == len({label for _, label in pairs}) == 6_466


def test_parameters_of_the_table(table: Any) -> None:
    for i in range(0, 15_625, 2_000):
        count = parameters(SPACE.parse(str(table["arch_str"][i])))
        assert count / 1e6 == pytest.approx(float(table["params_M"][i]), abs=1e-6)


# -- notation ---------------------------------------------------------------------------------


def test_format() -> None:
    a = SPACE.parse(BEST)
    assert SPACE.format(a) == BEST
    assert SPACE.operations(a) == ["nor_conv_3x3"] * 3 + ["skip_connect"] + ["nor_conv_3x3"] * 2
    assert SPACE.parse(f"  {BEST}\n") == a


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "node 1 is not of the form"),
        ("none", "node 1 is not of the form"),
        ("|none~0|", "has 1 nodes; nas-bench-201 has 3"),
        (BEST + "+|none~0|none~1|none~2|none~3|", "has 4 nodes; nas-bench-201 has 3"),
        (BEST.replace("~2", "~3"), "node 3 needs edges from 0, 1, 2, in this order"),
        (BEST.replace("|skip_connect~0", ""), "node 3 needs edges from 0, 1, 2, in this order"),
        (BEST.replace("skip_connect", "skip"), "unknown operation of edge 4 'skip'. Did you mean"),
        (BEST.replace("~1|nor", "~1||nor"), "node 3 is not of the form"),
        (BEST.replace("~0|+", "~0|x+"), "node 1 is not of the form"),
        (BEST.replace("~0|+", f"~{'9' * 5000}|+"), "node 1 is not of the form"),
        (BEST.replace("~0|+", "~-1|+"), "node 1 is not of the form"),
        ("|__import__('os')~0|+|none~0|none~1|+|none~0|none~1|none~2|", "unknown operation of"),
        ("+" * 10_000, "node 1 is not of the form"),
        ("|" * 10_000, "node 1 is not of the form"),
    ],
)
def test_parse_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(NasError) as error:
        SPACE.parse(text)
    assert message in str(error.value)
    assert len(str(error.value)) < 300


# -- equal cells ------------------------------------------------------------------------------


def cell(text: str) -> Architecture:
    """Read six operations by their first letters: n, s, 1, 3, a."""
    short = dict(zip("ns13a", OPERATIONS, strict=True))
    return Architecture("nas-bench-201", tuple(OPERATIONS.index(short[c]) for c in text))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3aannn", "nnnnnn"),  # all ways to the output are cut
        ("nn333n", "nnn3nn"),  # an operation of zero is zero
        ("3nsnns", "n3nnns"),  # a skip passes on
        ("s3anns", "sa3nns"),  # a sum has no order
    ],
)
def test_equal_cells(one: str, other: str) -> None:
    assert SPACE.canonical(cell(one)) == SPACE.canonical(cell(other))


@pytest.mark.parametrize(
    ("one", "other"), [("nnn3nn", "nnnsnn"), ("3nnn3n", "3nnnnn"), ("nnn3nn", "nnn1nn")]
)
def test_different_cells(one: str, other: str) -> None:
    assert SPACE.canonical(cell(one)) != SPACE.canonical(cell(other))


def test_keys_are_equal_where_canonical_is() -> None:
    """And `canonical` is the first of its class, in the order of rows."""
    rows = np.indices(SPACE.cardinalities).reshape(6, -1).T
    keys = SPACE.keys(rows)
    assert keys.dtype == np.uint64 and len(np.unique(keys)) == 6_466
    _, first = np.unique(keys, return_index=True)
    for at in range(0, 15_625, 100):
        canonical = SPACE.canonical(Architecture("nas-bench-201", tuple(rows[at].tolist())))
        assert canonical.choices == tuple(rows[first[np.searchsorted(keys[first], keys[at])]])
    assert SPACE.keys(rows[:0]).shape == (0,)


def test_equal_cells_compute_the_same() -> None:
    """Dead branches do not change the output: the weights that both have decide it."""
    one, other = cell("33nn3n"), cell("3n1n3n")  # state 2 goes nowhere
    assert SPACE.canonical(one) == SPACE.canonical(other)
    networks = []
    for a in (one, other):
        torch.manual_seed(0)
        networks.append(SPACE.build(a, TINY, channels=4, cells=1).eval())
    networks[1].load_state_dict(networks[0].state_dict(), strict=False)
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(networks[0](x), networks[1](x))


# -- networks ---------------------------------------------------------------------------------


def test_derive_may_take_none() -> None:
    scores = {d.name: np.array([9.0, 1, 2, 3, 4]) for d in SPACE.decisions}
    assert SPACE.derive(scores) == same_everywhere("none")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channels": 6, "partial_channels": 4}, "{}.partial_channels=4: must divide"),
        ({"cells": 0}, "cells=0: at least 1 is needed"),
        ({"layers": 3}, "unknown setting of {} 'layers'"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(NasError, match=message.format("network")):
        SPACE.build(same_everywhere("none"), TINY, **settings)
    with pytest.raises(NasError, match=message.format("supernet")):
        SPACE.supernet(TINY, **settings)


def test_tasks_without_images_are_refused() -> None:
    with pytest.raises(NasError, match=r"space 'nas-bench-201' needs images"):
        SPACE.build(same_everywhere("none"), TaskInfo((5,), 2))


def test_a_cell_of_nothing_gives_zeros() -> None:
    network = SPACE.build(same_everywhere("none"), TINY, channels=4, cells=1).eval()
    x = torch.randn(2, 3, 8, 8)
    assert network.cells[0](network.stem(x)).abs().sum() == 0
    assert network(x).isfinite().all()


def test_graph_of_the_best_cell() -> None:
    graph = SPACE.graph(SPACE.parse(BEST))
    assert graph.nodes["3<-0"]["op"] == "skip_connect"
    assert set(graph.predecessors("3")) == {"3<-0", "3<-1", "3<-2"}
    assert [graph.nodes[str(s)]["kind"] for s in range(4)] == ["input", "node", "node", "output"]
