"""Networks that take graphs, as networks that take tensors: that is what files can say."""

from __future__ import annotations

import copy
import inspect
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nas.task import Graph, random_graph

if TYPE_CHECKING:
    from nas.task import TaskInfo

__all__ = [
    "AXES", "INPUTS", "GraphInputs", "NodeInputs", "input_axes", "on_tensors", "random_graphs",
]  # fmt: skip

_NODES, _FEW = 24, 7  # of random graphs without and with loops
_GRAPHS = 3  # lie side by side where graphs are classified

AXES: dict[str, dict[int, str]] = {
    "features": {0: "nodes"},
    "edges": {1: "edges"},
    "batch": {0: "nodes"},
    "edge_features": {0: "edges"},
}
"""Input -> what its sizes that may vary are called."""


class TensorGraph(Graph):
    """A graph whose number of graphs can be traced: it is a shape, not a value."""

    @property
    def graphs(self) -> int:
        """How many graphs lie side by side."""
        if self.batch is None:
            return 1
        before = torch.cat([self.batch.new_full((1,), -1), self.batch])[:-1]
        return (self.batch != before).nonzero().shape[0]  # a shape can be traced


class NodeInputs(nn.Module):
    """Takes a graph as tensors, and classifies all its nodes."""

    def forward(
        self, features: Tensor, edges: Tensor, edge_features: Tensor | None = None
    ) -> Tensor:
        """Return logits of all nodes, [N, classes].

        Args:
            features: Of the nodes, [N, F].
            edges: Source and target of every edge, int64 [2, E]; an undirected edge is there in
                both directions.
            edge_features: [E, G], for networks that take them.
        """
        index = torch.arange(features.shape[0], device=features.device)
        logits: Tensor = super().forward(TensorGraph(features, edges, edge_features, index=index))
        return logits


class GraphInputs(nn.Module):
    """Takes graphs that lie side by side as tensors, and classifies them."""

    def forward(
        self, features: Tensor, edges: Tensor, batch: Tensor, edge_features: Tensor | None = None
    ) -> Tensor:
        """Return logits of the graphs, [graphs, classes].

        Args:
            features: Of the nodes, [N, F].
            edges: Source and target of every edge, int64 [2, E]; an undirected edge is there in
                both directions.
            batch: The graph of every node, int64 [N], ascending from 0, each with a node at least.
            edge_features: [E, G], for networks that take them.
        """
        logits: Tensor = super().forward(TensorGraph(features, edges, edge_features, batch=batch))
        return logits


INPUTS: dict[str, type[nn.Module]] = {"nodes": NodeInputs, "graphs": GraphInputs}
"""Kind of task -> how its networks take tensors."""


def on_tensors(network: nn.Module, kind: str) -> nn.Module:
    """Return a network that takes a `Graph` as one that takes tensors; any other as it is.

    Args:
        network: What is returned shares its modules.
        kind: Of the task.
    """
    if kind not in INPUTS:
        return network
    base = type(network)
    made = copy.copy(network)
    made.__class__ = type(f"{base.__name__}OnTensors", (INPUTS[kind], base), {})
    return made


def input_axes(network: nn.Module, count: int) -> dict[str, dict[int, str]]:
    """Return the names of a network's inputs, each with those of its sizes that may vary.

    Args:
        network: What `on_tensors` returned.
        count: How many inputs it is given.
    """
    if not isinstance(network, tuple(INPUTS.values())):
        return {"input": {0: "batch"}}
    names = list(inspect.signature(network.forward).parameters)[:count]
    return {name: AXES[name] for name in names}


def random_graphs(
    network: nn.Module, info: TaskInfo, dtype: torch.dtype, generator: torch.Generator
) -> list[tuple[Tensor, ...]]:
    """Return the inputs for random graphs of several sizes.

    The first have no loops; the second has some, edges in one direction, and a node without any;
    the third is one node.

    Args:
        network: What `on_tensors` returned. Features of edges are left out if it takes none.
        info: Of its task.
        dtype: Of the features.
        generator: On the CPU.
    """
    count = _GRAPHS if info.kind == "graphs" else 0
    usual = random_graph(_NODES, info.input_shape[0], generator, info.edge_features, count)
    found: list[tuple[Tensor, ...]] = []
    for graph in (usual, _with_loops(info, generator), _single_node(info, generator)):
        features, edges = graph.features.to(dtype), graph.edges
        inputs = (features, edges) if count == 0 else (features, edges, _owners(graph))
        if info.edge_features:
            assert graph.edge_features is not None
            inputs = (*inputs, graph.edge_features.to(dtype))
        found.append(inputs)
    if info.edge_features and not _takes_edges(network, found[0]):
        return [inputs[:-1] for inputs in found]
    return found


def _with_loops(info: TaskInfo, generator: torch.Generator) -> Graph:
    edges = torch.randint(_FEW - 1, (2, 3 * _FEW), generator=generator, device="cpu")
    edges[1, 0] = edges[0, 0]
    return _graph(info, _FEW, edges, generator)


def _single_node(info: TaskInfo, generator: torch.Generator) -> Graph:
    return _graph(info, 1, torch.zeros(2, 0, dtype=torch.int64, device="cpu"), generator)


def _graph(info: TaskInfo, nodes: int, edges: Tensor, generator: torch.Generator) -> Graph:
    features = torch.randn(nodes, info.input_shape[0], generator=generator, device="cpu")
    given = torch.randn(edges.shape[1], info.edge_features, generator=generator, device="cpu")
    return Graph(features, edges, given)


def _owners(graph: Graph) -> Tensor:
    if graph.batch is not None:
        return graph.batch
    return torch.zeros(len(graph.features), dtype=torch.int64, device="cpu")


def _takes_edges(network: nn.Module, inputs: tuple[Tensor, ...]) -> bool:
    """Tell whether a network gives something else, or nothing, without features of edges."""
    with torch.no_grad():
        try:
            return not torch.equal(network(*inputs), network(*inputs[:-1]))
        except Exception:  # whatever a forward may raise; it is raised again where it matters
            return True
