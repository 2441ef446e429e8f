"""Layers of networks on tables against plain references: outputs and gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.search_spaces.tables.network import (
    ACTIVATIONS,
    NORMS,
    Columns,
    TableLayer,
    TableNetwork,
    resized,
)

CATEGORIES = [0, 4, 0, 2, 7]
EPS = 1e-5

FORMULAS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "relu": lambda y: y * (y > 0),
    "gelu": lambda y: y * (1 + torch.erf(y / math.sqrt(2))) / 2,
    "silu": lambda y: y / (1 + torch.exp(-y)),
    "tanh": lambda y: (torch.exp(y) - torch.exp(-y)) / (torch.exp(y) + torch.exp(-y)),
}


def normal(net: nn.Module) -> nn.Module:
    """Draw all parameters, so that none is 0 or 1."""
    torch.manual_seed(0)
    for parameter in net.double().parameters():
        nn.init.normal_(parameter)
    return net


def rows(n: int = 6) -> Tensor:
    torch.manual_seed(1)
    numbers = torch.randn(n, len(CATEGORIES), dtype=torch.double)
    for column, count in enumerate(CATEGORIES):
        if count:
            numbers[:, column] = torch.randint(0, count, (n,)).double()
    return numbers


def embedded(weight: Tensor, x: Tensor) -> Tensor:
    """Look categories up one by one: numbers first, then the first feature of all columns ..."""
    lines = []
    for row in x:
        found, start = [], 0
        for value, count in zip(row, CATEGORIES, strict=True):
            if count:
                found.append(weight[start + int(value)])
                start += count
        numbers = [value for value, count in zip(row, CATEGORIES, strict=True) if not count]
        values = [feature[k] for k in range(weight.shape[1]) for feature in found]
        lines.append(torch.stack([*numbers, *values]))
    return torch.stack(lines)


def normalised(y: Tensor, name: str, layer: Any) -> Tensor:
    if name == "none":
        return y
    dim = 0 if name == "batch" else 1
    centred = y - y.mean(dim, keepdim=True)
    deviation = ((centred**2).mean(dim, keepdim=True) + EPS).sqrt()
    return centred / deviation * layer.norm.weight + layer.norm.bias


def reference(net: TableNetwork, x: Tensor, normalisation: str, activation: str) -> Tensor:
    x = embedded(net.columns.embedding.weight, x)  # type: ignore[union-attr]
    for number, layer in enumerate(net.layers):
        y: Any = layer
        linear = x @ y.linear.weight.T + y.linear.bias
        out = FORMULAS[activation](normalised(linear, normalisation, y))
        if net.residual and number:
            shared = min(x.shape[1], out.shape[1])
            out = torch.cat([out[:, :shared] + x[:, :shared], out[:, shared:]], 1)
        x = out
    return x @ net.classifier.weight.T + net.classifier.bias


def gradients(output: Tensor, net: nn.Module) -> list[Tensor]:
    parameters = list(net.parameters())
    torch.manual_seed(2)
    return list(torch.autograd.grad((output * torch.randn_like(output)).sum(), parameters))


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("normalisation", NORMS)
def test_outputs_and_gradients(normalisation: str, activation: str, residual: bool) -> None:
    """Of widths that grow and that fall."""
    net = TableNetwork(
        5, CATEGORIES, 3, [6, 9, 4], embedding=3, residual=residual,
        normalisation=normalisation, activation=activation,
    )  # fmt: skip
    normal(net)
    x = rows()
    ours, theirs = net(x), reference(net, x, normalisation, activation)
    assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-9)
    pairs = zip(gradients(ours, net), gradients(theirs, net), strict=True)
    assert all(torch.allclose(a, b, rtol=1e-7, atol=1e-7) for a, b in pairs)


def test_batch_norm_uses_its_averages_in_evaluation() -> None:
    layer = TableLayer(4, 3, "batch", "relu", 0.0)
    normal(layer)
    norm: Any = layer.norm
    norm.running_mean.copy_(torch.tensor([0.5, -1.0, 2.0]))
    norm.running_var.copy_(torch.tensor([0.5, 2.0, 3.0]))
    x = torch.randn(5, 4, dtype=torch.double)
    y = x @ layer.linear.weight.T + layer.linear.bias
    y = (y - norm.running_mean) / (norm.running_var + EPS).sqrt() * norm.weight + norm.bias
    assert torch.allclose(layer.eval()(x), y.clamp_min(0), atol=1e-9)


def test_dropout_comes_last_and_only_in_training() -> None:
    layer = TableLayer(4, 3, "layer", "tanh", 0.5)
    normal(layer)
    x = torch.randn(200, 4, dtype=torch.double)
    whole = layer.eval()(x)
    torch.manual_seed(0)
    dropped = layer.train()(x)
    kept = dropped != 0
    assert torch.allclose(dropped[kept], 2 * whole[kept])
    assert 0.4 < kept.double().mean() < 0.6


def test_columns() -> None:
    columns = Columns(CATEGORIES, 3)
    normal(columns)
    x = rows(8)
    assert columns.features == 2 + 3 * 3 and columns(x).shape == (8, columns.features)
    assert torch.equal(columns(x), embedded(columns.embedding.weight, x))
    assert [name for name, _ in columns.state_dict().items()] == ["embedding.weight"]


def test_columns_need_no_numbers_to_be_built() -> None:
    """Parameters can be counted without memory for them."""
    with torch.device("meta"):
        net = TableNetwork(5, CATEGORIES, 3, [8], embedding=4)
    counts = 13 * 4, (2 + 3 * 4) * 8 + 8, 2 * 8, 8 * 3 + 3
    assert sum(p.numel() for p in net.parameters()) == sum(counts)


def test_a_table_of_numbers_is_taken_as_it_is() -> None:
    for categories in ([], [0, 0, 0]):
        net = TableNetwork(3, categories, 2, [4], normalisation="none", activation="relu")
        x = torch.randn(5, 3)
        [layer] = net.layers
        hidden = (x @ layer.linear.weight.T + layer.linear.bias).clamp_min(0)  # type: ignore
        assert torch.allclose(net(x), hidden @ net.classifier.weight.T + net.classifier.bias)


@pytest.mark.parametrize(
    ("width", "line"), [(2, [1.0, 2.0]), (3, [1.0, 2.0, 3.0]), (5, [1.0, 2.0, 3.0, 0.0, 0.0])]
)
def test_resized(width: int, line: list[float]) -> None:
    assert resized(torch.tensor([[1.0, 2.0, 3.0]]), width).tolist() == [line]
