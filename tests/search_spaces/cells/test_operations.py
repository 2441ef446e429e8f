"""The operations of cells: shapes, parameters, and what they compute."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.search_spaces.cells.operations import (
    DilConv,
    FactorizedReduce,
    PartialChannels,
    Pool,
    ReLUConvBN,
    SepConv,
    Zero,
    drop_path,
    make_edge,
    make_operation,
)

NAMES = (
    "none",
    "skip_connect",
    "max_pool_3x3",
    "avg_pool_3x3",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "sep_conv_7x7",
    "dil_conv_3x3",
    "dil_conv_5x5",
    "nor_conv_1x1",
    "nor_conv_3x3",
    "conv_7x1_1x7",
)


def images(channels: int = 4, height: int = 8, width: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, channels, height, width, generator=generator)


# -- every operation --------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(8, 8), (7, 5), (1, 1)])
@pytest.mark.parametrize("partial", [1, 2])
def test_shapes(name: str, stride: int, size: tuple[int, int], partial: int) -> None:
    """Stride 2 halves, rounding up, so that all operations of a node agree."""
    edge = make_edge(name, 4, stride, True, False, partial)
    output = edge(images(4, *size))
    assert output.shape == (3, 4, *(-(-side // stride) for side in size))
    assert output.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_affine_adds_scale_and_shift(name: str) -> None:
    plain = {n for n, _ in make_operation(name, 4, 2, affine=False).named_parameters()}
    affine = {n for n, _ in make_operation(name, 4, 2, affine=True).named_parameters()}
    assert all("norm" in name for name in affine - plain)
    assert not any("norm" in name for name in plain)
    convolves = name not in ("none", "max_pool_3x3", "avg_pool_3x3")
    assert bool(affine - plain) == bool(plain) == convolves


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("sep_conv_3x3", 2 * (9 * 16 + 16 * 16 + 2 * 16)),
        ("sep_conv_5x5", 2 * (25 * 16 + 16 * 16 + 2 * 16)),
        ("sep_conv_7x7", 2 * (49 * 16 + 16 * 16 + 2 * 16)),
        ("dil_conv_3x3", 9 * 16 + 16 * 16 + 2 * 16),
        ("dil_conv_5x5", 25 * 16 + 16 * 16 + 2 * 16),
        ("nor_conv_1x1", 16 * 16 + 2 * 16),
        ("nor_conv_3x3", 9 * 16 * 16 + 2 * 16),
        ("conv_7x1_1x7", 2 * 7 * 16 * 16 + 2 * 16),
    ],
)
def test_parameters(name: str, count: int) -> None:
    assert sum(p.numel() for p in make_operation(name, 16, 1).parameters()) == count


def test_names_are_known() -> None:
    with pytest.raises(ValueError, match="unknown operation 'conv_9x9'"):
        make_operation("conv_9x9", 4, 1)


# -- what they compute ------------------------------------------------------------------------


def test_zero_is_marked() -> None:
    for stride in (1, 2):
        zero = make_operation("none", 4, stride)
        assert isinstance(zero, Zero) and zero.is_zero
        assert not zero(images()).any()


def test_zero_of_nan_is_zero() -> None:
    assert not Zero()(torch.full((1, 1, 2, 2), float("nan"))).any()


def test_skip_is_the_identity_or_a_reduction() -> None:
    x = images()
    assert torch.equal(make_operation("skip_connect", 4, 1)(x), x)
    assert isinstance(make_operation("skip_connect", 4, 2), FactorizedReduce)


def test_pooling() -> None:
    x = images(1, 3, 3)
    peak = make_operation("max_pool_3x3", 1, 1)(x)
    mean = make_operation("avg_pool_3x3", 1, 1)(x)
    assert torch.equal(peak[..., 1, 1], x.amax((2, 3)))
    assert torch.allclose(mean[..., 0, 0], x[..., :2, :2].mean((2, 3)))  # padding does not count


@pytest.mark.parametrize("name", ["max_pool_3x3", "avg_pool_3x3"])
def test_pooling_with_norm(name: str) -> None:
    plain = make_operation(name, 4, 1)
    normed = make_operation(name, 4, 1, pool_norm=True)
    assert isinstance(normed, Pool) and not list(normed.parameters())
    expected = functional.batch_norm(plain(images()), None, None, training=True)
    assert torch.allclose(normed(images()), expected, atol=1e-6)


def test_convolutions_start_with_relu() -> None:
    x = -images().abs()
    for name in NAMES[4:]:
        operation = make_operation(name, 4, 1).eval()
        assert torch.equal(operation(x), operation(0 * x)), name


def test_dilated_convolution_reaches_further() -> None:
    """A kernel of 3 with dilation 2 sees the pixels two away, not those between."""
    operation = make_operation("dil_conv_3x3", 1, 1).eval()
    assert isinstance(operation, DilConv)
    x = torch.ones(1, 1, 9, 9, requires_grad=True)
    operation(x)[0, 0, 4, 4].backward()
    assert x.grad is not None
    seen = x.grad[0, 0].nonzero().tolist()
    assert seen == [[r, c] for r in (2, 4, 6) for c in (2, 4, 6)]


def test_separable_convolution_has_its_stride_once() -> None:
    operation = make_operation("sep_conv_5x5", 4, 2)
    assert isinstance(operation, SepConv)
    assert operation.first.depthwise.stride == (2, 2)
    assert operation.second.depthwise.stride == (1, 1)
    assert operation.first.depthwise.groups == 4


def test_factorized_reduce_sees_every_diagonal() -> None:
    """One half looks at even pixels, the other at odd ones."""
    operation = FactorizedReduce(1, 2, affine=False).eval()
    with torch.no_grad():
        operation.even.weight.fill_(1)
        operation.odd.weight.fill_(1)
    x = torch.arange(16.0).view(1, 1, 4, 4)
    even, odd = operation(x)[0]
    assert torch.allclose(even, x[0, 0, ::2, ::2], rtol=1e-4)
    assert torch.allclose(odd, x[0, 0, 1::2, 1::2], rtol=1e-4)


def test_factorized_reduce_of_odd_channels() -> None:
    assert FactorizedReduce(3, 5)(images(3)).shape == (3, 5, 4, 4)


def test_relu_conv_bn() -> None:
    block = ReLUConvBN(4, 6, 3, stride=2).eval()
    x = images()
    y = functional.conv2d(x.relu(), block.conv.weight, stride=2, padding=1)
    assert torch.allclose(block(x), y / (1 + block.norm.eps) ** 0.5, atol=1e-6)


# -- partial channels -------------------------------------------------------------------------


def test_partial_channels_pass_and_shuffle() -> None:
    """Of 8 channels, 2 are negated and 6 pass; then the four groups are interleaved."""

    class Negate(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return -x

    x = torch.arange(1.0, 9.0).view(1, 8, 1, 1)
    output = PartialChannels(Negate(), 8, 4, 1)(x).flatten().tolist()
    assert output == [-1, 3, 5, 7, -2, 4, 6, 8]


def test_partial_channels_pool_where_the_operation_strides() -> None:
    edge = make_edge("max_pool_3x3", 8, 2, True, False, 4)
    assert isinstance(edge, PartialChannels)
    x = images(8)
    passed = edge(x).view(3, 2, 4, 4, 4)[:, :, 1:]
    expected = functional.max_pool2d(x[:, 2:], 2).view(3, 3, 2, 4, 4).transpose(1, 2)
    assert torch.equal(passed, expected)


def test_an_edge_without_partial_channels_is_the_operation() -> None:
    assert isinstance(make_edge("sep_conv_3x3", 4, 1, True, False, 1), SepConv)


# -- drop path --------------------------------------------------------------------------------


def test_drop_path_drops_examples_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    x = torch.ones(4000, 2, 1, 1)
    output = drop_path(x, 0.25).view(4000, 2)
    assert torch.equal(output[:, 0], output[:, 1])
    values = output.unique()
    assert values.tolist() == [0.0, pytest.approx(4 / 3)]
    assert abs(float(output.mean()) - 1) < 0.05
