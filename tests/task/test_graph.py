"""Graphs, and parts of them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nas.task.graph import Graph, random_graph


def make(**settings: int) -> Graph:
    return random_graph(5, 3, torch.Generator().manual_seed(0), **settings)


def edges_of(graph: Graph, number: int) -> Tensor:
    assert graph.batch is not None
    kept = graph.batch[graph.edges[0]] == number
    first = int((graph.batch < number).sum())
    return graph.edges[:, kept] - first


def test_random_graphs_are_undirected_without_loops() -> None:
    for graph in (make(edge_features=2), make(edge_features=2, graphs=4)):
        half = graph.edges.shape[1] // 2
        assert torch.equal(graph.edges[:, :half], graph.edges[:, half:].flip(0))
        assert graph.edge_features is not None
        assert torch.equal(graph.edge_features[:half], graph.edge_features[half:])
        assert (graph.edges[0] != graph.edges[1]).all()
        if graph.batch is not None:  # no edge between graphs
            assert torch.equal(graph.batch[graph.edges[0]], graph.batch[graph.edges[1]])


def test_what_is_asked_for() -> None:
    assert (len(make()), make().graphs) == (5, 1)
    assert (len(make(graphs=4)), make(graphs=4).graphs) == (4, 4)
    few = make()[torch.tensor([4, 0])]
    assert few.index is not None and few.index.tolist() == [4, 0] and len(few.features) == 5
    assert len(make()[:2]) == 2


@pytest.mark.parametrize("rows", [[2, 0, 2], [3], [0, 1, 2, 3]])
def test_some_of_several_graphs(rows: list[int]) -> None:
    graph = make(edge_features=2, graphs=4)
    some = graph[torch.tensor(rows)]
    assert len(some) == len(rows) and some.batch is not None and graph.batch is not None
    assert some.edge_features is not None and graph.edge_features is not None
    for place, row in enumerate(rows):
        assert torch.equal(some.features[some.batch == place], graph.features[graph.batch == row])
        assert torch.equal(edges_of(some, place), edges_of(graph, row))
        features = (g.edge_features[g.batch[g.edges[0]] == n]  # type: ignore[index]
                    for g, n in ((some, place), (graph, row)))  # fmt: skip
        assert torch.equal(*features)


def test_moving() -> None:
    graph = make(edge_features=2)
    assert graph.to("cpu") is graph and graph.device == torch.device("cpu")
    moved = graph.to("meta")
    assert {t.device.type for t in (moved.features, moved.edges, moved.index)} == {"meta"}  # type: ignore[union-attr]
    double = graph.double()
    assert double.features.dtype == torch.float64 and double.edges.dtype == torch.int64
    assert graph.nbytes == 5 * 3 * 4 + 20 * 2 * 8 + 20 * 2 * 4 + 5 * 8
