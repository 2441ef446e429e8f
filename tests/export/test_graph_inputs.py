"""Networks of graphs on plain tensors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.export.graph_inputs import TensorGraph, input_axes, on_tensors, random_graphs
from nas.task import TaskInfo


class Net(nn.Module):
    """Sums what comes over edges.

    Args:
        takes_edges: Whether features of edges are taken.
    """

    def __init__(self, takes_edges: bool = False) -> None:
        super().__init__()
        self.takes_edges = takes_edges
        self.linear = nn.Linear(5, 3)

    def forward(self, graph: Any) -> Tensor:
        source, target = graph.edges
        messages = self.linear(graph.features)[source]
        if self.takes_edges:
            messages = messages * graph.edge_features.sum(1, keepdim=True)
        y = messages.new_zeros(len(graph.features), 3).index_add(0, target, messages)
        if graph.index is not None:
            return y[graph.index]
        return y.new_zeros(graph.graphs, 3).index_add(0, graph.batch, y)


@pytest.mark.parametrize("kind", ["nodes", "graphs"])
def test_tensors_stand_for_a_graph(kind: str) -> None:
    net, graph = Net(), TaskInfo((5,), 3, kind).example(4)
    taking = on_tensors(net, kind)
    inputs = [t for t in (graph.features, graph.edges, graph.batch) if t is not None]
    assert torch.equal(taking(*inputs), net(graph))
    assert taking.state_dict().keys() == net.state_dict().keys()
    assert type(net) is Net and taking.linear is net.linear
    names = ["features", "edges", *(["batch"] if kind == "graphs" else [])]
    axes = input_axes(taking, len(inputs))
    assert list(axes) == names and axes["edges"] == {1: "edges"}


def test_other_networks_stay_as_they_are() -> None:
    net = nn.Linear(2, 2)
    assert on_tensors(net, "examples") is net
    assert input_axes(net, 1) == {"input": {0: "batch"}}


@pytest.mark.parametrize("batch", [[0], [0, 0], [0, 1, 1, 2], [0, 1]])
def test_number_of_graphs(batch: list[int]) -> None:
    x = torch.zeros(len(batch), 1)
    graph = TensorGraph(x, torch.zeros(2, 0, dtype=torch.int64), batch=torch.tensor(batch))
    assert graph.graphs == batch[-1] + 1


@pytest.mark.parametrize("takes_edges", [False, True])
@pytest.mark.parametrize("kind", ["nodes", "graphs"])
def test_random_graphs(kind: str, takes_edges: bool) -> None:
    info = TaskInfo((5,), 3, kind, edge_features=2)
    network = on_tensors(Net(takes_edges).double(), kind)
    found = random_graphs(network, info, torch.float64, torch.Generator().manual_seed(0))
    (_, edges, *_), (_, few, *_), (one, none, *_) = found
    assert not (edges[0] == edges[1]).any()
    assert (few[0] == few[1]).any() and few.max() < len(found[1][0]) - 1
    assert one.shape == (1, 5) and none.shape == (2, 0) and one.dtype == torch.float64
    for inputs in found:
        assert len(inputs) == 2 + (kind == "graphs") + takes_edges
        if takes_edges:
            assert inputs[-1].shape == (inputs[1].shape[1], 2)
