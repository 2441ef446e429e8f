"""Populations of NAS-Bench-101 cells: what is pruned, what is isomorphic."""

from __future__ import annotations

from itertools import permutations

import networkx as nx
import numpy as np

from nas.search_spaces.cells.vertex_graphs import (
    EDGES,
    INNER,
    VERTICES,
    isomorphism_keys,
    key_row,
    prune,
)

Pairs = list[tuple[int, int]]


def row(*pairs: tuple[int, int]) -> np.ndarray:
    return np.array([[int(edge in pairs) for edge in EDGES]])


def draw(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return random edges, about a third of those that could be, and labels."""
    rng = np.random.default_rng(seed)
    edges = (rng.random((n, len(EDGES))) < 0.35).astype(np.int64)
    return edges, rng.integers(0, 3, (n, len(INNER)))


def graph_of(edges: np.ndarray, labels: np.ndarray) -> nx.DiGraph[int]:
    """Return a pruned cell as a graph, made the plain way."""
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from((v, {"label": int(labels[v - 1])}) for v in INNER)
    graph.add_nodes_from([(0, {"label": "in"}), (VERTICES - 1, {"label": "out"})])
    graph.add_edges_from(edge for edge, there in zip(EDGES, edges, strict=True) if there)
    useful = {0, *nx.descendants(graph, 0)} & {6, *nx.ancestors(graph, 6)}
    return graph.subgraph(useful).copy()


def test_edges_are_in_the_order_of_a_matrix() -> None:
    assert len(EDGES) == 21
    assert EDGES[:7] == ((0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (0, 6), (1, 2))


def test_what_is_pruned_by_hand() -> None:
    """2 is not reached, 3 leads nowhere; 1, 4 and the direct edge stay."""
    pruned = prune(row((0, 1), (1, 4), (4, 6), (2, 4), (1, 3), (0, 6)))
    assert pruned.kept.tolist() == [0b1010011]
    assert [int(t[0]) for t in pruned.targets] == [0b1000010, 0b10000, 0, 0, 0b1000000, 0]
    assert pruned.edges.tolist() == [4] and pruned.connected.tolist() == [True]


def test_without_a_way_nothing_is_kept_of_the_input() -> None:
    pruned = prune(row((0, 1), (2, 6)))
    assert pruned.connected.tolist() == [False] and pruned.edges.tolist() == [0]


def test_pruning_agrees_with_reachability() -> None:
    edges, labels = draw(300)
    pruned = prune(edges)
    for i in range(300):
        graph = graph_of(edges[i], labels[i])
        connected = bool(pruned.connected[i])
        assert connected == (0 in graph and 6 in graph)
        if connected:
            assert {v for v in range(7) if pruned.kept[i] >> v & 1} == set(graph)
            assert pruned.edges[i] == graph.number_of_edges()


def test_keys_are_equal_exactly_where_graphs_are_isomorphic() -> None:
    edges, labels = draw(4000, seed=1)
    small = prune(edges).connected & (prune(edges).edges <= 5)  # few of which there are many alike
    edges, labels = edges[small][:150], labels[small][:150]
    keys = isomorphism_keys(prune(edges), labels)
    graphs = [graph_of(e, label) for e, label in zip(edges, labels, strict=True)]
    same = nx.algorithms.isomorphism.categorical_node_match("label", None)
    alike = 0
    for i, j in permutations(range(60), 2):
        isomorphic = nx.is_isomorphic(graphs[i], graphs[j], node_match=same)
        assert isomorphic == (keys[i] == keys[j])
        alike += isomorphic
    assert alike > 10


def test_a_key_stands_for_a_cell_of_its_own_class() -> None:
    edges, labels = draw(500)
    keep = prune(edges).connected
    keys = isomorphism_keys(prune(edges[keep]), labels[keep])
    rows = np.array([key_row(int(key)) for key in keys])
    again = prune(rows[:, : len(EDGES)])
    assert np.array_equal(isomorphism_keys(again, rows[:, len(EDGES) :]), keys)
    assert np.array_equal(again.edges, prune(edges[keep]).edges)
    assert np.array_equal(again.edges, rows[:, : len(EDGES)].sum(1))  # nothing is left to prune
    assert keys.max() < 2**36


def test_many_rows_are_the_same_as_few() -> None:
    edges, labels = draw(3000)
    whole = isomorphism_keys(prune(edges), labels)
    for part in (slice(0, 1), slice(1020, 1030), slice(2990, 3000)):
        assert np.array_equal(isomorphism_keys(prune(edges[part]), labels[part]), whole[part])
    assert len(isomorphism_keys(prune(edges[:0]), labels[:0])) == 0
