"""What the spaces of one cell of four states have in common."""

from __future__ import annotations

import numpy as np
import pytest

from nas.search_spaces.cells.dense_space import EDGES, DenseCellSpace
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.search_spaces.transnas_micro import TransNASMicro

SPACES = [NASBench201, TransNASMicro]
over_spaces = pytest.mark.parametrize("make", SPACES)


@over_spaces
def test_decisions_are_named_after_their_edges(make: type[DenseCellSpace]) -> None:
    names = [decision.name for decision in make().decisions]
    assert names == ["cell/1<-0", "cell/2<-0", "cell/2<-1", "cell/3<-0", "cell/3<-1", "cell/3<-2"]


@over_spaces
def test_graph_has_every_edge(make: type[DenseCellSpace]) -> None:
    space = make()
    a = space.sample(np.random.default_rng(0), 1)[0]
    graph = space.graph(a)
    assert [graph.nodes[f"{t}<-{s}"]["op"] for t, s in EDGES] == space.operations(a)
    for target, source in EDGES:
        assert [*graph.predecessors(f"{target}<-{source}")] == [str(source)]
        assert [*graph.successors(f"{target}<-{source}")] == [str(target)]


@over_spaces
def test_path_and_derive_take_the_strongest(make: type[DenseCellSpace]) -> None:
    space = make()
    a = space.sample(np.random.default_rng(1), 1)[0]
    path = space.path(a)
    assert [path[f"cell/{t}<-{s}"] for t, s in EDGES] == list(a.choices)
    assert path["cell/3"] == (0, 1, 2)
    scores = {
        d.name: np.eye(len(d.options))[c] for d, c in zip(space.decisions, a.choices, strict=True)
    }
    assert space.derive(scores) == a
