"""Layers against PyTorch Geometric's, with the same weights; formulas where it is absent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from graphs import random_edges, structure
from torch import Tensor, nn

from nas.search_spaces.graph.operations import LAYERS, make_operation

NAMES = ["gat", "gat_1", "gat_8", "gcn", "gin", "cheb", "sage", "arma", "graph", "sg"]
C_IN, C_OUT, NODES = 5, 5, 12


def made(name: str) -> nn.Module:
    torch.manual_seed(1)
    layer = make_operation(name, C_IN).double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    return layer


def theirs(name: str) -> nn.Module:
    geometric = pytest.importorskip("torch_geometric.nn", reason="PyTorch Geometric is absent")
    if name.startswith("gat"):
        heads = int(name.partition("_")[2] or 2)
        return geometric.GATConv(C_IN, C_OUT, heads=heads, concat=False)
    if name == "gin":
        mlp = nn.Sequential(nn.Linear(C_IN, C_OUT), nn.ReLU(), nn.Linear(C_OUT, C_OUT))
        return geometric.GINConv(mlp)
    makers: dict[str, Callable[..., nn.Module]] = {
        "gcn": geometric.GCNConv, "sage": geometric.SAGEConv, "arma": geometric.ARMAConv,
        "graph": geometric.GraphConv, "sg": geometric.SGConv,
        "cheb": lambda i, o: geometric.ChebConv(i, o, K=2),
    }  # fmt: skip
    return makers[name](C_IN, C_OUT)


PAIRS = {
    "gat": {"lin.weight": "linear.weight", "att_src": "by_source", "att_dst": "by_target"},
    "gcn": {"lin.weight": "linear.weight"},
    "gin": {f"nn.{n}": f"mlp.{n}" for n in ("0.weight", "0.bias", "2.weight", "2.bias")},
    "cheb": {"lins.0.weight": "first.weight", "lins.1.weight": "second.weight"}
    | {"bias": "first.bias"},
    "sage": {"lin_l.weight": "neighbours.weight", "lin_l.bias": "neighbours.bias"}
    | {"lin_r.weight": "root.weight"},
    "arma": {"init_weight": "neighbours.weight", "root_weight": "root.weight"},
    "graph": {"lin_rel.weight": "neighbours.weight", "lin_rel.bias": "neighbours.bias"}
    | {"lin_root.weight": "root.weight"},
    "sg": {"lin.weight": "linear.weight", "lin.bias": "linear.bias"},
}
"""PyTorch Geometric's name -> ours; equal ones are left out."""


def copied(name: str, ours: nn.Module) -> nn.Module:
    other = theirs(name).double()
    state, pairs = ours.state_dict(), PAIRS[name.partition("_")[0]]
    for key, value in other.named_parameters():
        if key != "weight":  # ARMA's, of steps after the first
            mine = state[pairs.get(key, key)]
            mine = mine.T if name == "arma" and mine.ndim == 2 else mine
            value.data = mine.reshape(value.shape).clone()
    return other


def gradients(module: nn.Module, x: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    x = x.clone().requires_grad_()
    y = module(x, *rest)
    (y * torch.arange(y.numel()).view_as(y).cos()).sum().backward()
    assert x.grad is not None
    return y.detach(), x.grad


@pytest.mark.parametrize("loops", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_layer_equals_pytorch_geometrics(name: str, loops: bool) -> None:
    ours = made(name)
    other = copied(name, ours)
    edges = random_edges(NODES, loops=loops)
    if name == "cheb":  # degrees are of sources there
        edges = torch.cat([edges, edges.flip(0)], 1).unique(dim=1)
    x = torch.randn(NODES, C_IN, dtype=torch.float64)
    mine = gradients(ours, x, structure(edges))
    for one, another in zip(mine, gradients(other, x, edges), strict=True):
        assert torch.allclose(one, another, rtol=1e-9, atol=1e-9)
    total = sum(float(p.grad.abs().sum()) for p in ours.parameters() if p.grad is not None)
    expected = sum(float(p.grad.abs().sum()) for p in other.parameters() if p.grad is not None)
    assert total == pytest.approx(expected, rel=1e-8)


def dense(edges: Tensor) -> Tensor:
    """Return A with A[i, j] = 1 for an edge from j to i."""
    matrix = torch.zeros(NODES, NODES, dtype=torch.float64)
    matrix[edges[1], edges[0]] = 1.0
    return matrix


def normalised(matrix: Tensor) -> Tensor:
    scale = matrix.sum(1).clamp_min(1).rsqrt() * (matrix.sum(1) > 0)
    return scale[:, None] * matrix * scale


def formula(name: str, layer: Any, x: Tensor, edges: Tensor) -> Tensor:
    """Return what a layer gives by its formula with dense matrices."""
    a = dense(edges)
    looped = a + torch.eye(NODES, dtype=torch.float64)
    if name == "gcn":
        return normalised(looped) @ layer.linear(x) + layer.bias
    if name == "sg":
        return layer.linear(normalised(looped) @ x)
    if name == "gin":
        return layer.mlp(x + a @ x)
    if name == "sage":
        mean = a @ x / a.sum(1, keepdim=True).clamp_min(1)
        return layer.neighbours(mean) + layer.root(x)
    if name == "graph":
        return layer.neighbours(a @ x) + layer.root(x)
    if name == "cheb":
        return layer.first(x) - layer.second(normalised(a) @ x)
    if name == "arma":
        return (layer.neighbours(normalised(a) @ x) + layer.root(x) + layer.bias).relu()
    heads = []
    for h, s, t in zip(
        layer.linear(x).view(NODES, layer.heads, -1).unbind(1), layer.by_source, layer.by_target,
        strict=True,
    ):  # fmt: skip
        scores = nn.functional.leaky_relu((h @ t)[:, None] + (h @ s)[None], 0.2)
        heads.append(scores.masked_fill(looped == 0, -torch.inf).softmax(1) @ h)
    return torch.stack(heads).mean(0) + layer.bias


@pytest.mark.parametrize("name", NAMES)
def test_layer_follows_its_formula(name: str) -> None:
    layer, edges = made(name), random_edges(NODES)
    x = torch.randn(NODES, C_IN, dtype=torch.float64)
    assert torch.allclose(layer(x, structure(edges)), formula(name, layer, x, edges))


@pytest.mark.parametrize("name", [*NAMES, "fc", "linear", "skip", "zero"])
def test_the_order_of_edges_and_names_of_nodes_do_not_matter(name: str) -> None:
    layer, edges = made(name), random_edges(NODES)
    x = torch.randn(NODES, C_IN, dtype=torch.float64)
    new = torch.randperm(NODES)
    moved = torch.empty_like(x)
    moved[new] = x
    shuffled = new[edges][:, torch.randperm(edges.shape[1])]
    y, z = layer(x, structure(edges)), layer(moved, structure(shuffled))
    assert torch.allclose(y, z[new])


def test_each_layer_is_tested() -> None:
    assert LAYERS.keys() - {"fc", "linear"} <= {*NAMES}
