"""Graph networks with states of nodes and of edges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from nas.errors import NasError
from nas.search_spaces import gnn_edges
from nas.search_spaces.gnn_edges import GNNEdges
from nas.search_spaces.graph import edge_updates
from nas.search_spaces.graph.edge_updates import (
    AGGREGATIONS,
    EPSILON,
    RELATIONS,
    EdgeUpdate,
    NodeUpdate,
    RowNorm,
)
from nas.search_spaces.graph.structure import Structure
from nas.space import Architecture
from nas.task import TaskInfo
from nas.task.graph import Graph
from nas.testing import SpaceContract, SupernetContract
from nas.testing.contract import TASKS

SPACE = GNNEdges()
TASK = TaskInfo((5,), 3, "nodes")
SMALL = {"hidden": 6, "edge_hidden": 4, "cells": 2}


def architecture(node: str, edge: str, space: GNNEdges = SPACE) -> Architecture:
    """Return the one whose updates are all alike."""
    options = {"node": node, "edge": edge}
    pairs = (f"{d.name}={options[d.name.partition('/')[0]]}" for d in space.decisions)
    return space.parse(";".join(pairs))


def test_decisions() -> None:
    assert SPACE.size == 8**10 and GNNEdges(1).size == 8**4
    assert ("none", "identity", *AGGREGATIONS) == gnn_edges.NODE_UPDATES
    assert ("none", "identity", *RELATIONS) == gnn_edges.EDGE_UPDATES
    with pytest.raises(NasError, match="states=0"):
        GNNEdges(0)
    with pytest.raises(NasError, match="cells"):
        SPACE.build(architecture("mean", "sub"), TASK, cells=1)


# -- updates ----------------------------------------------------------------------------------

ENDS = torch.tensor([[1, 2, 0, 3], [0, 0, 2, 0]])
JOIN: dict[str, Callable[[Tensor], Tensor]] = {
    "mean": lambda m: m.mean(0),
    "sum": lambda m: m.sum(0),
    "max": lambda m: m.amax(0),
    "std": lambda m: (m.square().mean(0) - m.mean(0).square() + EPSILON).sqrt(),
    "gem2": lambda m: m.clamp_min(EPSILON).pow(2).mean(0).pow(1 / 2),
    "gem3": lambda m: m.clamp_min(EPSILON).pow(3).mean(0).pow(1 / 3),
}
SEEN: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "sub": lambda s, t: (s - t).abs(),
    "gauss": lambda s, t: torch.exp(-((s - t) ** 2) / 2),
    "max": torch.max,
    "sum": lambda s, t: s + t,
    "mean": lambda s, t: 0.5 * s + 0.5 * t,
    "had": lambda s, t: s * t,
}


def structure() -> Structure:
    return Structure(ENDS, 5, torch.float64)


@pytest.mark.parametrize("kind", AGGREGATIONS)
def test_messages_are_joined_at_every_node(kind: str) -> None:
    torch.manual_seed(0)
    edges = structure()
    messages = torch.randn(4, 3, dtype=torch.float64)
    found = AGGREGATIONS[kind](messages, edges)
    for node in (0, 2):
        assert torch.allclose(found[node], JOIN[kind](messages[edges.target == node]))
    alone = {"std": EPSILON**0.5, "gem2": EPSILON, "gem3": EPSILON}.get(kind, 0.0)
    assert torch.allclose(found[[1, 3, 4]], torch.full((3, 3), alone, dtype=torch.float64))


@pytest.mark.parametrize("kind", AGGREGATIONS)
def test_gradients_are_finite_also_without_messages_and_where_they_are_equal(kind: str) -> None:
    messages = torch.tensor([[-1.0], [0.0], [0.0], [2.0]]).requires_grad_()
    found = AGGREGATIONS[kind](messages, Structure(ENDS, 5, torch.float32))
    found.sum().backward()
    assert found.isfinite().all() and messages.grad is not None and messages.grad.isfinite().all()


def modulated(layer: Any, x: Tensor, given: Tensor) -> Tensor:
    """Return sigmoid(B A(given)) * x + C A(given)."""
    leaky = torch.nn.LeakyReLU(0.2)
    a = leaky(layer.second(leaky(layer.first(given))))
    return layer.scale(a).sigmoid() * x + layer.shift(a)


@pytest.mark.parametrize("kind", AGGREGATIONS)
def test_a_node_is_updated_by_its_neighbours_and_the_edges_to_them(kind: str) -> None:
    torch.manual_seed(0)
    layer = NodeUpdate(kind, 3, 2).double()
    layer.end = torch.nn.Identity()
    v, e = torch.randn(5, 3).double(), torch.randn(4, 2).double()
    leaky = torch.nn.LeakyReLU(0.2)
    h = layer.second(leaky(layer.first(leaky(v))))
    edges = structure()
    messages = modulated(layer.message, h[edges.source], e)
    assert torch.allclose(layer(v, e, edges)[0], JOIN[kind](messages[edges.target == 0]))


@pytest.mark.parametrize("kind", RELATIONS)
def test_an_edge_is_updated_by_its_two_nodes(kind: str) -> None:
    torch.manual_seed(0)
    layer = EdgeUpdate(kind, 3, 2).double()
    layer.end = torch.nn.Identity()
    v, e = torch.randn(5, 3).double(), torch.randn(4, 2).double()
    edges = structure()
    seen = SEEN[kind](v[edges.source], v[edges.target])
    expected = modulated(layer.relation, torch.nn.LeakyReLU(0.2)(e), seen)
    assert torch.allclose(layer(e, v, edges), expected)


def test_norm_of_no_or_a_single_row_takes_the_running_statistics() -> None:
    norm = RowNorm(2)
    norm(torch.randn(50, 2) + 3)
    start = norm.running_mean
    assert start is not None
    start = start.clone()
    for rows in (0, 1):
        x = torch.randn(rows, 2)
        found = norm.train()(x)
        assert torch.equal(found, norm.eval()(x)) and torch.equal(norm.running_mean, start)


# -- networks ---------------------------------------------------------------------------------


def outputs(a: Architecture, graph: Any, task: TaskInfo) -> Tensor:
    torch.manual_seed(0)
    logits: Tensor = SPACE.build(a, task, **SMALL).eval()(graph)
    return logits


@pytest.mark.parametrize("kind", ["nodes", "graphs"])
@pytest.mark.parametrize("features", [0, 2])
def test_edges_with_and_without_features(kind: str, features: int) -> None:
    task = replace(TASKS[kind], edge_features=features)
    graph: Any = task.example(12 if kind == "nodes" else 3)
    other = replace(graph, edge_features=torch.randn(graph.edges.shape[1], 2))
    a = architecture("mean", "sub")
    logits = outputs(a, graph, task)
    assert logits.shape == (len(graph), 3)
    assert torch.allclose(logits, outputs(a, other, task)) == (features == 0)


def test_edges_act_on_nodes_only_over_messages_and_on_graphs_directly() -> None:
    for kind, matters in (("nodes", False), ("graphs", True)):
        task = replace(TASKS[kind], edge_features=2)
        graph: Any = task.example(12 if kind == "nodes" else 3)
        other = replace(graph, edge_features=graph.edge_features + 1)
        a = architecture("identity", "identity")
        same = torch.allclose(outputs(a, graph, task), outputs(a, other, task))
        assert same != matters


def test_the_order_of_edges_and_names_of_nodes_do_not_matter() -> None:
    task = replace(TASK, edge_features=2)
    graph: Any = task.example(12)
    new, order = torch.randperm(12), torch.randperm(graph.edges.shape[1])
    back = new.argsort()
    moved = Graph(graph.features[back], new[graph.edges][:, order], graph.edge_features[order], new)
    a = SPACE.parse(
        "node/2<-0=std;node/2<-1=gem2;node/3<-0=max;node/3<-1=gem3;node/3<-2=sum;"
        "edge/2<-0=sub;edge/2<-1=gauss;edge/3<-0=had;edge/3<-1=max;edge/3<-2=sum"
    )
    assert torch.allclose(outputs(a, graph, task), outputs(a, moved, task), atol=1e-5)


@pytest.mark.parametrize("edges", [0, 1])
def test_graphs_of_no_or_one_edge_train(edges: int) -> None:
    graph = Graph(torch.randn(4, 5), torch.tensor([[0], [1]])[:, :edges], index=torch.arange(4))
    network = SPACE.build(architecture("std", "gauss"), TASK, **SMALL).train()
    network(graph).sum().backward()
    found = [p.grad for p in network.parameters() if p.grad is not None]
    assert found and all(g.isfinite().all() for g in found)
    assert all(buffer.isfinite().all() for buffer in network.buffers())


def test_the_last_edges_are_not_computed_where_nodes_are_classified() -> None:
    a = architecture("mean", "sub")
    of_nodes, of_graphs = (SPACE.build(a, TASKS[kind], **SMALL) for kind in ("nodes", "graphs"))
    last = of_nodes.cells[-1]
    assert last.edges is None and not any(name.startswith("edge3") for name in last.updates)
    assert set(of_graphs.cells[-1].updates) - set(last.updates) == {f"edge3_{i}" for i in range(3)}


def test_graph_tells_updates_of_nodes_and_edges_apart() -> None:
    graph = SPACE.graph(architecture("max", "identity"))
    assert graph.nodes["node/2<-0"]["op"] == "max"
    assert graph.nodes["edge/2<-0"]["op"] == "edge identity"
    assert set(graph.predecessors("node/2<-0")) == {"v0", "e0"}
    assert set(graph.predecessors("edge/2<-0")) == {"e0"}


def test_epsilon_is_no_more_than_a_guard() -> None:
    assert edge_updates.EPSILON <= 1e-5


class Contract(SpaceContract, SupernetContract):
    """More tasks and sizes than the contracts over the registry."""

    network_settings = SMALL
    supernet_options = SMALL
    matching_settings = SMALL
    samples, networks = 20, 1
    states = 2
    task = TASKS["nodes"]

    def make_space(self) -> GNNEdges:
        return GNNEdges(self.states)

    def make_task(self) -> TaskInfo:
        return self.task


class TestEdgesOfNodes(Contract):
    task = replace(TASKS["nodes"], edge_features=2)


class TestEdgesOfGraphs(Contract):
    task, states = replace(TASKS["graphs"], edge_features=1), 1


class TestEdgesOfGraphsWithout(Contract):
    task = TASKS["graphs"]
