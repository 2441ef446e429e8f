"""A user's own network of graph layers, of PyTorch Geometric's too: they take two inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.mutables import OneOf
from nas.search_spaces.graph.gcn_conv import GCNConv
from nas.search_spaces.graph.sage_conv import SAGEConv
from nas.search_spaces.graph.structure import Structure
from nas.search_spaces.module import ModuleSpace
from nas.task import TaskInfo

TASK = TaskInfo((5,), 3, "nodes")
HIDDEN = 8
Layers = Callable[[int, int], dict[str, nn.Module]]


class Net(nn.Module):
    """Two choices among graph layers and a classifier."""

    def __init__(self, layers: Layers) -> None:
        super().__init__()
        self.first, self.second = OneOf(layers(5, HIDDEN)), OneOf(layers(HIDDEN, HIDDEN))
        self.classifier = nn.Linear(HIDDEN, 3)

    def edges(self, graph: Any) -> Any:
        return graph.edges

    def forward(self, graph: Any) -> Tensor:
        edges = self.edges(graph)
        x = F.relu(self.first(graph.features, edges))
        x = F.relu(self.second(x, edges))
        logits: Tensor = self.classifier(x[graph.index])
        return logits


class OwnNet(Net):
    """With this package's layers, which share what they need of the edges."""

    def edges(self, graph: Any) -> Structure:
        return Structure(graph.edges, len(graph.features), graph.features.dtype)


def own_layers(c_in: int, c_out: int) -> dict[str, nn.Module]:
    return {"gcn": GCNConv(c_in, c_out), "sage": SAGEConv(c_in, c_out)}


def geometric_layers(c_in: int, c_out: int) -> dict[str, nn.Module]:
    layers = pytest.importorskip("torch_geometric.nn", reason="PyTorch Geometric is absent")
    gat = layers.GATConv(c_in, c_out // 2, heads=2)
    return {"gcn": layers.GCNConv(c_in, c_out), "sage": layers.SAGEConv(c_in, c_out), "gat": gat}


@pytest.mark.parametrize(("net", "layers"), [(OwnNet, own_layers), (Net, geometric_layers)])
def test_graph_layers_are_candidates(net: Callable[[Layers], Net], layers: Layers) -> None:
    torch.manual_seed(0)
    space = ModuleSpace(lambda: net(layers), name="my-gnn")
    graph: Any = TASK.example(12)
    supernet = space.supernet(TASK).eval()
    assert space.size == len(layers(5, HIDDEN)) ** 2
    for a in space.sample(np.random.default_rng(0), 4):
        network = supernet.extract(a)
        assert not any(isinstance(module, OneOf) for module in network.modules())
        found = supernet(graph, supernet.path(a))
        assert found.shape == (12, 3) and torch.allclose(found, network(graph), atol=1e-6)
    weights = {n: torch.full((len(g.options),), 0.5) for n, g in supernet.gates.items()}
    gates = [weight.requires_grad_() for weight in weights.values()]
    found = torch.autograd.grad(supernet(graph, weights).cos().sum(), gates)
    assert all((gradient != 0).all() for gradient in found)
