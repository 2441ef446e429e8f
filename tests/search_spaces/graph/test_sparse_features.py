"""The first transform of features that are mostly zeros, against the dense one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from nas.search_spaces.graph.sparse_features import SparseRows, dropped, transformed


def features(nodes: int = 40, columns: int = 200, share: float = 0.03) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(nodes, columns, generator=generator, dtype=torch.double)
    x[torch.rand(nodes, columns, generator=generator) > share] = 0
    x[5] = 0  # a node without any
    return x


def parameters(columns: int = 200) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(7, columns, generator=generator, dtype=torch.double)
    bias = torch.randn(7, generator=generator, dtype=torch.double)
    return weight.requires_grad_(), bias.requires_grad_()


@pytest.mark.parametrize("turned", [False, True])
def test_products_and_gradients_are_those_of_the_dense_matrix(turned: bool) -> None:
    """Also with a weight that is no contiguous matrix."""
    x, (weight, bias) = features(), parameters()
    if turned:
        weight = weight.detach().T.contiguous().T.requires_grad_()
    sparse = dropped(x, 0.6, training=False)
    assert isinstance(sparse, SparseRows)
    outputs = [transformed(sparse, weight, bias), F.linear(x, weight, bias)]
    torch.testing.assert_close(*outputs)
    gradient = torch.randn(40, 7, dtype=torch.double)
    first, second = (torch.autograd.grad(y, (weight, bias), gradient) for y in outputs)
    torch.testing.assert_close(first, second)


def test_it_can_be_differentiated_twice() -> None:
    sparse, (weight, _) = dropped(features(), 0.5, training=True), parameters()
    assert torch.autograd.gradcheck(lambda w: transformed(sparse, w), [weight])
    assert torch.autograd.gradgradcheck(lambda w: transformed(sparse, w).square(), [weight])


def test_dropout_drops_entries_and_keeps_the_mean() -> None:
    x = features(400)
    every = torch.eye(200, dtype=torch.double)
    torch.manual_seed(0)
    shares, total = [], torch.zeros_like(x)
    for _ in range(200):
        y = transformed(dropped(x, 0.6, training=True), every)
        shares.append((y[x != 0] == 0).double().mean())
        assert (y[x == 0] == 0).all()
        total += y / 200
    assert torch.stack(shares).mean() == pytest.approx(0.6, abs=0.01)
    torch.testing.assert_close(total[x != 0].sum(), x.sum(), rtol=0.1, atol=1.0)
    assert torch.equal(transformed(dropped(x, 0.0, training=True), every), x)


@pytest.mark.parametrize(
    "x",
    [
        features(share=0.5),  # many entries
        features(columns=20),  # few columns
        features().requires_grad_(),
    ],
)
def test_other_features_stay_dense(x: Tensor) -> None:
    assert isinstance(dropped(x, 0.5, training=True), Tensor)
    assert dropped(x, 0.5, training=False) is x


def test_features_that_change_are_looked_at_again() -> None:
    x, (weight, bias) = features(), parameters()
    before = transformed(dropped(x, 0.0, training=False), weight, bias)
    x[3] *= 2
    x[4] = 0
    after = transformed(dropped(x, 0.0, training=False), weight, bias)
    torch.testing.assert_close(after, F.linear(x, weight, bias))
    assert not torch.equal(before, after)
    x += 1
    assert isinstance(dropped(x, 0.0, training=False), Tensor)
