"""GraphNAS's cell space."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from nas.errors import NasError
from nas.search_spaces.gnn_micro import ACTIVATIONS, GNNMicro
from nas.search_spaces.gnn_micro import COMBINE as OPTIONS
from nas.search_spaces.graph import macro
from nas.search_spaces.graph.micro import COMBINE, combine
from nas.task import TaskInfo

SPACE = GNNMicro()
TASK = TaskInfo((5,), 3, "nodes")
TEXT = "node1/input=1;node1/op=gcn;node2/input=2;node2/op={};activation={};combine={}"


def built(op: str, activation: str, combined: str, **settings: Any) -> Any:
    architecture = SPACE.parse(TEXT.format(op, activation, combined))
    return SPACE.build(architecture, TASK, hidden=4, **settings).eval()


def test_size() -> None:
    assert SPACE.size == 2 * 12 * 3 * 12 * 5 * 3 == 12_960
    assert OPTIONS == COMBINE
    assert set(ACTIVATIONS) <= set(macro.ACTIVATIONS)


@pytest.mark.parametrize("nodes", [1, 4])
def test_other_numbers_of_nodes(nodes: int) -> None:
    space = GNNMicro(nodes)
    assert space.size == math.prod(range(2, nodes + 2)) * 12**nodes * 15
    [a] = space.sample(np.random.default_rng(0), 1)
    graph: Any = TASK.example(12)
    network = space.build(a, TASK, hidden=4)
    assert len(network.cells[0].nodes) == nodes and network(graph).shape == (12, 3)
    supernet = space.supernet(TASK, hidden=4).eval()
    assert torch.allclose(supernet(graph, supernet.path(a)), supernet.extract(a)(graph), atol=1e-6)
    with pytest.raises(NasError, match="nodes=0"):
        GNNMicro(0)


def test_combinations() -> None:
    states = [torch.full((2, 3), value) for value in (2.0, 5.0)]
    assert combine("add", states).tolist() == [[7.0] * 3] * 2
    assert combine("product", states).tolist() == [[10.0] * 3] * 2
    assert combine("concat", states).shape == (2, 6)


def test_every_combination_is_activated_and_counts_each_node_once() -> None:
    """Both are otherwise in GraphNAS's code."""
    graph: Any = TASK.example(12)
    for combined in COMBINE:
        network = built("linear", "sigmoid", combined, cells=1)
        outputs = []
        network.cells[0].register_forward_hook(lambda *given, out=outputs: out.append(given[2]))
        network(graph)
        assert float(outputs[0].detach().min()) > 0 and float(outputs[0].detach().max()) < 1
        assert outputs[0].shape == (12, 8 if combined == "concat" else 4)
    assert float(built("zero", "linear", "product")(graph).std(0).max()) < 1e-6  # all is 0


def test_first_cell_sees_the_features_twice_and_later_ones_two_cells() -> None:
    network = built("gcn", "relu", "concat", cells=3)
    shapes = [[stem.in_features for stem in cell.stems] for cell in network.cells]
    assert shapes == [[5, 5], [5, 8], [8, 8]]


def test_settings_are_checked() -> None:
    with pytest.raises(NasError, match="cells=0"):
        built("gcn", "relu", "add", cells=0)
    with pytest.raises(NasError, match="hidden=0"):
        SPACE.build(SPACE.parse(TEXT.format("gcn", "relu", "add")), TASK, hidden=0)
