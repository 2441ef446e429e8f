"""NAS-Bench-Graph: its classes are those of the published package, its notation, its graph."""

from __future__ import annotations

from itertools import product
from typing import Any

import networkx as nx
import numpy as np
import pytest

from nas.errors import NasError
from nas.search_spaces.nas_bench_graph import OPERATIONS, SKIP, NASBenchGraph
from nas.space import Architecture
from nas.task import TaskInfo

SPACE = NASBenchGraph()
TASK = TaskInfo((5,), 3, "nodes")
EVERYTHING = np.array(list(product(*(range(n) for n in SPACE.cardinalities))))
VALID = EVERYTHING[SPACE.valid(EVERYTHING)]


def same(one: str, other: str) -> bool:
    a, b = SPACE.parse(one), SPACE.parse(other)
    keys = SPACE.keys(SPACE.to_array([a, b]))
    assert (SPACE.canonical(a) == SPACE.canonical(b)) == (keys[0] == keys[1])
    return bool(keys[0] == keys[1])


# -- published facts --------------------------------------------------------------------------


def test_size() -> None:
    assert SPACE.size == len(VALID) == 24 * 9**4 - 24 == 157_440


def test_classes() -> None:
    canonical = SPACE.canonical_choices(VALID)
    assert len(np.unique(canonical, axis=0)) == len(np.unique(SPACE.keys(VALID))) == 26_206


def test_classes_are_those_of_the_package() -> None:
    """Over all architectures: two are equal here exactly where they are equal there."""
    package: Any = pytest.importorskip("nas_bench_graph.architecture")
    canonical = SPACE.from_array(SPACE.canonical_choices(VALID))
    pairs = {
        (a, package.Arch(list(SPACE.links(b)), SPACE.operations(b)).valid_hash())
        for a, b in zip(canonical, SPACE.from_array(VALID), strict=True)
    }
    assert len(pairs) == len({a for a, _ in pairs}) == len({h for _, h in pairs}) == 26_206


# -- equal networks ---------------------------------------------------------------------------


def test_canonical_of_one_and_of_many() -> None:
    some = VALID[::997]
    found = [SPACE.canonical(a) for a in SPACE.from_array(some)]
    assert found == SPACE.from_array(SPACE.canonical_choices(some))
    assert [SPACE.canonical(a) for a in found] == found


def test_canonical_is_valid_and_keeps_the_operations() -> None:
    canonical = SPACE.canonical_choices(VALID)
    assert SPACE.valid(canonical).all()
    columns = [0, 2, 4, 6]
    assert np.array_equal(np.sort(canonical[:, columns]), np.sort(VALID[:, columns]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0:gat|0:gcn|0:gin|0:fc", "0:fc|0:gin|0:gcn|0:gat"),  # leaves have no order
        ("0:gat|0:gcn|1:fc|2:gin", "0:gcn|0:gat|2:fc|1:gin"),  # nor have branches
        ("0:gat|1:skip|2:gcn|3:fc", "0:skip|1:gat|2:gcn|3:fc"),  # a skip passes on
        ("0:skip|0:gat|0:gcn|0:fc", "0:skip|1:gat|1:gcn|1:fc"),  # the input itself is left out
        ("0:skip|1:skip|0:gcn|0:fc", "0:skip|1:skip|2:gcn|2:fc"),
        ("0:gat|1:skip|0:gcn|0:fc", "0:skip|1:gat|1:gcn|1:fc"),  # alone after its node
    ],
)
def test_equal_networks(one: str, other: str) -> None:
    assert same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0:gat|1:gcn|2:fc|3:gin", "0:gcn|1:gat|2:fc|3:gin"),  # a chain has an order
        ("0:gat|0:gcn|1:fc|1:gin", "0:gat|0:gcn|1:fc|2:gin"),
        ("0:gat|1:skip|1:gcn|1:fc", "0:skip|1:gat|2:gcn|2:fc"),  # its output is taken twice
    ],
)
def test_different_networks(one: str, other: str) -> None:
    assert not same(one, other)


# -- what is valid ----------------------------------------------------------------------------


def test_only_skips_are_no_network() -> None:
    idle = Architecture(SPACE.name, (SKIP, 1, SKIP, 0, SKIP, 2, SKIP))
    assert SPACE.check(idle) == "every operation is skip; at least one other is needed"
    with pytest.raises(NasError, match="every operation is skip"):
        SPACE.parse("0:skip|0:skip|1:skip|3:skip")
    assert not SPACE.feasible(SPACE.to_array([idle])).any()


# -- notation and graph -----------------------------------------------------------------------


def test_format() -> None:
    text = "0:gcn|1:gat|1:fc|2:skip"
    a = SPACE.parse(f" {text}\n")
    assert SPACE.links(a) == (0, 1, 1, 2)
    assert SPACE.operations(a) == ["gcn", "gat", "fc", "skip"]
    assert SPACE.format(a) == text
    some = SPACE.from_array(VALID[::499])
    assert [SPACE.parse(SPACE.format(a)) for a in some] == some


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has 1 nodes; nas-bench-graph has 4"),
        ("0:gcn|1:gat|1:fc", "has 3 nodes"),
        ("0:gcn|1:gat|1:fc|2:fc|0:fc", "has 5 nodes"),
        ("0:gcn|gat|1:fc|2:fc", "node 2 is not of the form INPUT:OPERATION: 'gat'"),
        ("1:gcn|0:gat|1:fc|2:fc", "node 1 cannot take input '1'; allowed is 0"),
        ("0:gcn|2:gat|1:fc|2:fc", "node 2 cannot take input '2'; allowed is 0, 1"),
        ("0:gcn|-1:gat|1:fc|2:fc", "node 2 cannot take input '-1'"),
        ("0:gcn|0:gat|1:fc|2:gcm", "unknown operation of node 4 'gcm'. Did you mean 'gcn'?"),
        ("0:gcn|0:gat|1:fc|2:gcn:", "unknown operation of node 4 'gcn:'"),
        ("0:gcn|0:gat|٣:fc|2:gcn", "node 3 cannot take input"),
        ("|" * 10_000, "has 10001 nodes"),
    ],
)
def test_parse_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(NasError) as error:
        SPACE.parse(text)
    assert message in str(error.value)
    assert len(str(error.value)) < 300


def test_graph() -> None:
    graph = SPACE.graph(SPACE.parse("0:gcn|1:gat|1:fc|2:skip"))
    assert set(graph.edges) == {
        ("0", "1"), ("1", "2"), ("1", "3"), ("2", "4"), ("3", "output"), ("4", "output"),
    }  # fmt: skip
    assert [graph.nodes[str(n)]["op"] for n in range(1, 5)] == ["gcn", "gat", "fc", "skip"]
    assert graph.nodes["0"]["kind"] == "input"
    assert graph.nodes["output"]["kind"] == "output"


def test_graphs_of_equal_networks_without_skips_are_isomorphic() -> None:
    rows = VALID[(VALID[:, [0, 2, 4, 6]] != SKIP).all(1)][::2_003]
    for a in SPACE.from_array(rows):
        graphs = (SPACE.graph(a), SPACE.graph(SPACE.canonical(a)))
        assert nx.is_isomorphic(*graphs, node_match=lambda m, n: m["op"] == n["op"])


# -- populations and networks -----------------------------------------------------------------


def test_operations_are_drawn_evenly() -> None:
    drawn = SPACE.sample_choices(np.random.default_rng(0), 9_000)
    counts = np.bincount(drawn[:, 6], minlength=len(OPERATIONS))
    assert counts.min() > 850 and counts.max() < 1_150


def built(text: str) -> Any:
    return SPACE.build(SPACE.parse(text), TASK, hidden=4)


@pytest.mark.parametrize(
    ("text", "read_out"),
    [
        ("0:gcn|1:gat|1:fc|2:skip", [3, 4]),
        ("0:gcn|1:gat|2:fc|3:gin", [4]),
        ("0:gcn|0:gat|0:fc|0:skip", [1, 2, 3]),  # a skip of the input adds nothing
        ("0:skip|1:skip|0:fc|2:cheb", [3, 4]),
        ("0:skip|0:gcn|1:skip|2:skip", [4]),
    ],
)
def test_leaves_are_read_out(text: str, read_out: list[int]) -> None:
    network = built(text)
    assert network.leaves == read_out
    assert network.classifier.in_features == 4 * len(read_out)
    assert network(TASK.example(12)).shape == (12, 3)


def test_equal_architectures_compute_the_same() -> None:
    """For the paper's classes this holds up to the order of what is read out."""
    import torch

    graph: Any = TASK.example(12)
    drawn = SPACE.sample(np.random.default_rng(0), 60)
    for a in [a for a in drawn if SPACE.canonical(a) != a][:20]:
        found = []
        for architecture in (a, SPACE.canonical(a)):
            network = SPACE.build(architecture, TASK, hidden=4, dropout=0.0).eval()
            for parameter in network.parameters():
                torch.nn.init.constant_(parameter, 0.1)  # no operation or order is special
            found.append(network(graph))
        assert torch.allclose(*found)


def test_derive_does_not_skip_everything() -> None:
    scores = {d.name: np.zeros(len(d.options)) for d in SPACE.decisions}
    for name, scored in scores.items():
        if name.endswith("/op"):
            scored[SKIP], scored[1] = 2.0, 0.5
    scores["3/op"][4] = 1.9  # the one that loses least
    found = SPACE.operations(SPACE.derive(scores))
    assert found == ["skip", "skip", OPERATIONS[4], "skip"]


def test_wrong_kind_of_task() -> None:
    with pytest.raises(NasError, match="'nas-bench-graph' needs a graph"):
        SPACE.supernet(TaskInfo((5,), 2))
