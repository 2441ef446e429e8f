"""The found architecture is drawn and written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx as nx
from reports import BEST, CONFIG, report, rows, words


def test_the_architecture_is_drawn_and_written(tmp_path: Path) -> None:
    graph: Any = nx.DiGraph([("in", "op"), ("op", "0"), ("0", "out")])
    for node, kind in (("in", "input"), ("op", "op"), ("0", "node"), ("out", "output")):
        graph.nodes[node].update(op="sep_conv_3x3" if kind == "op" else kind, kind=kind)
    page = report(tmp_path, None, CONFIG, BEST, graph)
    assert 'aria-label="the found architecture"' in page
    assert "|nor_conv_3x3~0|" in words(page)
    assert "node 0 = sep_conv_3x3(in" in words(page)
    assert ["edge 0-1", "nor_conv_3x3"] in list(rows(page))


def test_without_a_graph_it_is_written(tmp_path: Path) -> None:
    page = report(tmp_path, None, CONFIG, BEST)
    assert "|nor_conv_3x3~0|" in words(page)
    assert "the found architecture" not in page and "Node by node" not in page
