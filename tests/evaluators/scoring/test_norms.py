"""Batch norm of several batches at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.evaluators.scoring.norms import (
    Affine,
    affine_of,
    average,
    chunks,
    moments,
    rescale,
)


def batches_of(*sizes: int, shape: tuple[int, ...] = (5, 4, 6)) -> list[tuple[Tensor, Tensor]]:
    torch.manual_seed(0)
    made, start = [], 0
    for size in sizes:
        x = torch.randn(size, *shape) * 3 + 7 * len(made)
        made.append((x, torch.arange(start, start + size)))
        start += size
    return made


def last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def parts(x: Tensor, division: tuple[tuple[int, int], ...] | None) -> Iterator[Tensor]:
    """Yield the batches of a chunk."""
    assert division is not None
    for batches, size in division:
        some, x = x[: batches * size], x[batches * size :]
        yield from some.unflatten(0, (size, batches)).unbind(1)


# -- chunks ---------------------------------------------------------------------------------------


def test_chunks_hold_all_batches() -> None:
    batches = batches_of(4, 4, 4, 3, shape=(2, 3, 3))
    [chunk] = chunks(batches, most=100)
    assert chunk.division == ((3, 4), (1, 3))
    assert sorted(chunk.y.tolist()) == list(range(15))
    for (x, y), whole_x, whole_y in zip(
        batches, parts(chunk.x, chunk.division), parts(chunk.y, chunk.division), strict=True
    ):
        assert torch.equal(x, whole_x) and torch.equal(y, whole_y)


@pytest.mark.parametrize(
    ("most", "divisions"),
    [
        (1, [((1, 4),), ((1, 4),), ((1, 4),), ((1, 3),)]),
        (8, [((2, 4),), ((1, 4), (1, 3))]),
        (12, [((3, 4),), ((1, 3),)]),
    ],
)
def test_chunks_are_as_large_as_asked(most: int, divisions: list[object]) -> None:
    made = chunks(batches_of(4, 4, 4, 3, shape=(2, 3, 3)), most)
    assert [chunk.division for chunk in made] == divisions


# -- statistics -----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 4, 6), (8, 16, 16), (3, 1, 1), (1, 3, 3)])
@pytest.mark.parametrize("batches", [1, 3])
def test_moments_are_those_of_every_batch(batches: int, shape: tuple[int, int, int]) -> None:
    [chunk] = chunks(batches_of(*[4] * batches, shape=shape), most=100)
    found = moments(last(chunk.x), batches, 4)
    assert found.numbers == 4 * shape[1] * shape[2]
    for i, x in enumerate(parts(chunk.x, chunk.division)):
        assert torch.allclose(found.mean[i], x.mean((0, 2, 3)), atol=1e-5)
        variance = x.var((0, 2, 3), correction=0)
        assert torch.allclose(found.variance[i], variance, rtol=1e-5)


def test_moments_of_a_large_mean_are_exact() -> None:
    x = last(torch.randn(16, 4, 8, 8) * 0.01 + 50)
    variance = x.double().var((0, 2, 3), correction=0)
    assert torch.allclose(moments(x, 1, 16).variance[0].double(), variance, rtol=1e-3)


def test_one_number_a_channel_has_no_variance() -> None:
    with pytest.raises(ValueError, match="one number a channel"):
        moments(torch.randn(3, 4, 1, 1), 3, 1)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("inplace", [True, False])
def test_rescaling_is_batch_norm(affine: bool, inplace: bool) -> None:
    [chunk] = chunks(batches_of(4, 4, 4), most=100)
    x = last(chunk.x)
    weight, bias = (torch.rand(5), torch.rand(5)) if affine else (None, None)
    found = moments(x, 3, 4)
    before = x.clone()
    y = rescale(x, affine_of((weight, bias, 1e-3), found.mean, found.variance), inplace)
    for own, part in zip(parts(y, chunk.division), parts(before, chunk.division), strict=True):
        expected = F.batch_norm(part, None, None, weight, bias, True, 0.0, 1e-3)
        assert torch.allclose(own, expected, atol=1e-4)
    assert torch.equal(x, y if inplace else before)


def test_averages_are_what_a_layer_remembers() -> None:
    layer = nn.BatchNorm2d(5, momentum=None)
    batches = batches_of(4, 4, 3)
    for x, _ in batches:
        layer(x)
    [chunk] = chunks(batches, most=100)
    x = last(chunk.x)
    mean, variance = average([moments(x[:8], 2, 4), moments(x[8:], 1, 3)])
    assert layer.running_mean is not None and layer.running_var is not None
    assert torch.allclose(mean[0], layer.running_mean, atol=1e-5)
    assert torch.allclose(variance[0], layer.running_var, rtol=1e-5)
    known = affine_of((layer.weight.detach(), layer.bias.detach(), layer.eps), mean, variance)
    assert torch.allclose(rescale(x, known, False), layer.eval()(x), atol=1e-4)


def test_one_scale_serves_any_number_of_examples() -> None:
    x = last(torch.randn(7, 2, 3, 3))
    y = rescale(x, Affine(torch.tensor([[2.0, 3.0]]), torch.tensor([[1.0, 0.0]])), False)
    assert torch.allclose(y[:, 0], 2 * x[:, 0] + 1) and torch.allclose(y[:, 1], 3 * x[:, 1])
