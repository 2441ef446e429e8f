"""The class that takes a graph as tensors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nas.export.graph_inputs import GraphInputs, NodeInputs
from nas.export.source.on_tensors import on_tensors
from nas.export.source.regenerate import regenerate
from nas.task.graph import Graph


class Own(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)

    def forward(self, graph: Graph) -> Tensor:
        assert isinstance(graph, Graph)
        y: Tensor = self.linear(graph.features)
        return y


def test_the_class_is_added() -> None:
    program = regenerate(Own())
    names = [definition.name for definition in program.definitions]
    made = on_tensors(program, NodeInputs)
    added = [d for d in made.definitions if d.name not in names]
    assert names == ["Graph", "Own"]
    assert [definition.name for definition in added] == ["NodeInputs", "OwnOnTensors"]
    assert "super().forward(Graph(features, edges, edge_features, index=index))" in added[0].text
    assert added[1].text.startswith("class OwnOnTensors(NodeInputs, Own):\n")
    assert made.network.head == "OwnOnTensors"  # type: ignore[union-attr]
    assert made.state.keys() == program.state.keys()


def test_the_graph_is_defined_where_the_network_does_not_name_it() -> None:
    class Quiet(nn.Module):
        def forward(self, graph: object) -> Tensor:
            return torch.zeros(1)

    made = on_tensors(regenerate(Quiet()), GraphInputs)
    names = [definition.name for definition in made.definitions]
    assert names[-3:] == ["Graph", "GraphInputs", "QuietOnTensors"]
