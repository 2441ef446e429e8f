"""Graphs reduced to what is computed."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest

from nas.errors import NasError
from nas.kernels.structure import Structure, structure_of
from nas.search_spaces.darts import DARTS
from nas.search_spaces.nas_bench_201 import NASBench201

IDENTITIES = frozenset({"skip_connect"})


def edges(structure: Structure) -> list[tuple[str, str]]:
    names = [op for _, op in structure.labels]
    pairs = ((names[i], names[t]) for i, after in enumerate(structure.successors) for t in after)
    return sorted(pairs)


def of_cell(text: str, zeros: bool = False) -> Structure:
    space = NASBench201()
    return structure_of(space.graph(space.parse(text)), IDENTITIES, zeros)


def test_states_that_add_are_passed() -> None:
    text = "|nor_conv_1x1~0|+|nor_conv_3x3~0|none~1|+|none~0|avg_pool_3x3~1|none~2|"
    assert edges(of_cell(text)) == [
        ("avg_pool_3x3", "output"),
        ("input", "nor_conv_1x1"),
        ("nor_conv_1x1", "avg_pool_3x3"),
    ]  # nor_conv_3x3 feeds nothing


def test_identities_are_passed_and_what_no_input_reaches_is_left_out() -> None:
    text = "|none~0|+|skip_connect~0|nor_conv_1x1~1|+|none~0|none~1|nor_conv_3x3~2|"
    assert edges(of_cell(text)) == [("input", "nor_conv_3x3"), ("nor_conv_3x3", "output")]


def test_of_nothing_but_zeros_input_and_output_remain() -> None:
    text = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    assert of_cell(text) == Structure([("", "input"), ("", "output")], [[], []])


def test_zeros_can_be_kept_as_leaves_of_what_they_take() -> None:
    text = "|nor_conv_1x1~0|+|none~0|none~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|"
    assert edges(of_cell(text, zeros=True)) == [
        ("avg_pool_3x3", "output"),
        ("input", "none"),
        ("input", "none"),
        ("input", "nor_conv_1x1"),
        ("nor_conv_1x1", "avg_pool_3x3"),
        ("nor_conv_1x1", "none"),
    ]  # nor_conv_3x3 takes nothing


@pytest.mark.parametrize("text", ["none", "skip_connect", "nor_conv_3x3"])
def test_edges_are_there_once(text: str) -> None:
    cell = f"|{text}~0|+|{text}~0|{text}~1|+|{text}~0|{text}~1|{text}~2|"
    for after in of_cell(cell).successors:
        assert len(set(after)) == len(after)


def test_cells_are_told_apart() -> None:
    space = DARTS()
    graph = space.graph(space.sample(np.random.default_rng(0), 1)[0])
    labels = structure_of(graph, space.identity_ops).labels
    assert {cell for cell, _ in labels} == {"normal", "reduction"}


def test_a_long_ladder_of_identities_takes_no_time() -> None:
    """Paths through it double at every rung; what feeds what does not."""
    graph: nx.DiGraph[Any] = nx.DiGraph()
    graph.add_node(0, op="input", kind="input")
    for rung in range(1, 200):
        graph.add_node(rung, op="add", kind="node")
        graph.add_node(-rung, op="skip_connect", kind="op")
        graph.add_edges_from([(rung - 1, rung), (rung - 1, -rung), (-rung, rung)])
    graph.add_node("end", op="output", kind="output")
    graph.add_edge(199, "end")
    assert edges(structure_of(graph, IDENTITIES)) == [("input", "output")]


def test_a_graph_without_kinds_is_kept() -> None:
    graph: nx.DiGraph[str] = nx.DiGraph([("a", "b")])
    graph.nodes["a"]["op"] = "conv"
    assert structure_of(graph) == Structure([("", "conv"), ("", "b")], [[1], []])


def test_a_cycle_is_refused() -> None:
    with pytest.raises(NasError, match="cycle"):
        structure_of(nx.DiGraph([("a", "b"), ("b", "a")]))
