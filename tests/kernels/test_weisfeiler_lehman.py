"""Weisfeiler-Lehman features against plain counting, and kernels of them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import networkx as nx
import numpy as np
import pytest

from nas.errors import NasError
from nas.kernels.weisfeiler_lehman import Direction, Variant, WeisfeilerLehman, kernel
from nas.search_spaces.darts import DARTS
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.search_spaces.nas_bench_graph import NASBenchGraph
from nas.space import Architecture, Decision, SearchSpace

SPACES = [NASBench201, NASBenchGraph, DARTS]
over_spaces = pytest.mark.parametrize("make", SPACES)


def drawn(space: SearchSpace, n: int, seed: int = 0) -> list[Architecture]:
    return space.sample(np.random.default_rng(seed), n)


def counted(wl: WeisfeilerLehman, architecture: Architecture) -> list[Counter[Any]]:
    """Count labels that are nested tuples, level by level."""
    structure = wl.structure(architecture)
    labels: list[Any] = [(label,) for label in structure.labels]
    before: list[list[int]] = [[] for _ in labels]
    for node, after in enumerate(structure.successors):
        for target in after:
            before[target].append(node)
    levels = [Counter(labels)]
    for _ in range(wl.levels):
        new = []
        for node, label in enumerate(labels):
            taken: list[Any] = [label]
            if wl.direction != "predecessors":
                taken.append(sorted((labels[t] for t in structure.successors[node]), key=repr))
            if wl.direction != "successors":
                taken.append(sorted((labels[t] for t in before[node]), key=repr))
            new.append(repr(taken))
        labels = new
        levels.append(Counter(labels))
    return levels


def compared(a: list[Counter[Any]], b: list[Counter[Any]], level: int, variant: Variant) -> float:
    def shared(x: list[Counter[Any]], y: list[Counter[Any]]) -> int:
        pairs = zip(x[: level + 1], y[: level + 1], strict=True)
        if variant == "dot":
            return sum(p[label] * q[label] for p, q in pairs for label in p)
        return sum((p & q).total() for p, q in pairs)

    return float(shared(a, b) / np.sqrt(shared(a, a) * shared(b, b)))


@over_spaces
@pytest.mark.parametrize("direction", ["successors", "predecessors", "both"])
def test_kernels_equal_plain_counting(make: type[SearchSpace], direction: Direction) -> None:
    space = make()
    wl = WeisfeilerLehman(space, 3, direction)
    some, others = drawn(space, 8), drawn(space, 5, seed=1)
    plain = [[counted(wl, a) for a in group] for group in (some, others)]
    a, b = wl.features(some), wl.features(others)
    variants: tuple[Variant, ...] = ("dot", "assignment")
    for variant in variants:
        for level in range(4):
            wanted = [[compared(x, y, level, variant) for y in plain[1]] for x in plain[0]]
            np.testing.assert_allclose(kernel(a, b, level, variant), wanted, rtol=1e-12)


@over_spaces
@pytest.mark.parametrize("variant", ["dot", "assignment"])
def test_kernels_are_positive_semi_definite(make: type[SearchSpace], variant: Variant) -> None:
    space = make()
    features = WeisfeilerLehman(space).features(drawn(space, 40))
    for level in range(4):
        matrix = kernel(features, features, level, variant)
        np.testing.assert_array_equal(matrix, matrix.T)
        np.testing.assert_array_equal(np.diag(matrix), 1.0)
        assert np.linalg.eigvalsh(matrix).min() > -1e-10


def test_cached_features_equal_new_ones() -> None:
    space = NASBench201()
    some = drawn(space, 30)
    cached = WeisfeilerLehman(space)
    cached.features(some[:20])
    cached.features(some[10:])
    again, new = cached.features(some), WeisfeilerLehman(space).features(some)
    np.testing.assert_array_equal(again.labels, new.labels)
    np.testing.assert_array_equal(again.norms, new.norms)
    np.testing.assert_array_equal(again.keys, new.keys)


def test_an_architecture_is_looked_at_once() -> None:
    space = NASBench201()
    calls: list[Architecture] = []
    plain = space.graph
    space.graph = lambda a: calls.append(a) or plain(a)  # type: ignore[method-assign,func-returns-value]
    wl = WeisfeilerLehman(space)
    some = drawn(space, 5)
    wl.features(some)
    wl.features([*some, some[0]])
    assert len(calls) == len(set(some))


@over_spaces
def test_equal_networks_have_kernel_one(make: type[SearchSpace]) -> None:
    space = make()
    wl = WeisfeilerLehman(space)
    some = drawn(space, 60)
    same = [space.canonical(a) for a in some]
    assert any(a != b for a, b in zip(some, same, strict=True))
    a, b = wl.features(some), wl.features(same)
    equal = a.keys == b.keys
    # Of the others some are equal though their graphs are not, such as those with x + 0.
    assert equal.sum() > 40 if make is not DARTS else equal.all()
    np.testing.assert_allclose(np.diag(kernel(a, b, 3))[equal], 1.0)


def test_keys_differ_where_a_kernel_does() -> None:
    space = NASBenchGraph()
    features = WeisfeilerLehman(space).features(drawn(space, 100))
    same = np.isclose(kernel(features, features, 3, "assignment"), 1.0)
    np.testing.assert_array_equal(same, features.keys[:, None] == features.keys[None])


class Relabelled(NASBench201):
    """The same cells with other names and another order of nodes."""

    def graph(self, architecture: Architecture) -> nx.DiGraph[str]:
        graph = super().graph(architecture)
        nodes = sorted(graph, reverse=True)
        other: nx.DiGraph[str] = nx.DiGraph()
        other.add_nodes_from((f"new {node}", graph.nodes[node]) for node in nodes)
        other.add_edges_from((f"new {u}", f"new {v}") for u, v in reversed(list(graph.edges)))
        return other


def test_names_and_order_of_nodes_do_not_matter() -> None:
    some = drawn(NASBench201(), 20)
    first = WeisfeilerLehman(NASBench201(), direction="both").features(some)
    second = WeisfeilerLehman(Relabelled(), direction="both").features(some)
    np.testing.assert_array_equal(first.keys, second.keys)


def test_operations_of_other_cells_are_other_operations() -> None:
    space = DARTS()
    [one] = drawn(space, 1)
    half = len(one.choices) // 2
    swapped = Architecture(space.name, one.choices[half:] + one.choices[:half])
    wl = WeisfeilerLehman(space)
    assert kernel(wl.features([one]), wl.features([swapped]), 0)[0, 0] < 1


class Chain(SearchSpace):
    """A user's space: labels name the decision."""

    name = "chain"
    description = "a chain"
    decisions = tuple(Decision(f"d{i}", (0, 1)) for i in range(3))

    def graph(self, architecture: Architecture) -> nx.DiGraph[str]:
        ops = [f"d{i}: {c}" for i, c in enumerate(architecture.choices)]
        graph: nx.DiGraph[str] = nx.DiGraph()
        for i, op in enumerate(ops):
            graph.add_node(str(i), op=op, kind="op")
            if i:
                graph.add_edge(str(i - 1), str(i))
        return graph

    def build(self, architecture: Any, task: Any, **settings: Any) -> Any: ...
    def supernet(self, task: Any, **options: Any) -> Any: ...
    def path(self, architecture: Any) -> Any: ...
    def derive(self, scores: Any) -> Any: ...


def test_level_zero_of_a_chain_counts_equal_decisions() -> None:
    space = Chain()
    some = drawn(space, 8)
    features = WeisfeilerLehman(space).features(some)
    rows = space.to_array(some)
    equal = (rows[:, None] == rows[None]).mean(2)
    np.testing.assert_allclose(kernel(features, features, 0), equal)


def test_no_architectures_have_features_too() -> None:
    space = Chain()
    wl = WeisfeilerLehman(space)
    some = wl.features(drawn(space, 3))
    assert kernel(wl.features([]), some, 2).shape == (0, 3)
    assert kernel(some, wl.features([]), 2).shape == (3, 0)


def test_negative_levels_are_refused() -> None:
    with pytest.raises(NasError, match="levels=-1"):
        WeisfeilerLehman(Chain(), -1)
