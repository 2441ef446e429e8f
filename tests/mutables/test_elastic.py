"""Blocks of varying size: what runs inside, what is cut out, what is refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.elastic import ELASTIC
from nas.errors import NasError
from nas.mutables import Elastic

WIDTH, KERNEL, DEPTH = ELASTIC["width"], ELASTIC["kernel_size"], ELASTIC["depth"]


def images(channels: int, size: int = 7) -> Tensor:
    return torch.randn(5, channels, size, size, generator=torch.Generator().manual_seed(0))


def scrambled(module: nn.Module) -> nn.Module:
    """Give every parameter and statistic a value of its own."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in [*module.parameters(), *module.buffers()]:
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 1.5, generator=generator)
    return module


def conv_block(norm: Any = nn.BatchNorm2d) -> nn.Sequential:
    """An inverted residual's inside: expand, norm, depthwise, norm, project."""
    block = nn.Sequential(
        nn.Conv2d(3, 8, 1, bias=False),
        norm(8),
        nn.ReLU6(),
        nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8),
        norm(8),
        nn.Hardswish(),
        nn.Conv2d(8, 4, 1),
    )
    scrambled(block)
    return block


# -- width ------------------------------------------------------------------------------------


def test_width_of_linear_layers_by_hand() -> None:
    block = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))
    x = torch.randn(5, 3)
    first, last = block[0], block[2]
    hidden = torch.tanh(functional.linear(x, first.weight[:4], first.bias[:4]))
    expected = functional.linear(hidden, last.weight[:, :4], last.bias)
    assert torch.allclose(WIDTH.run(block, 4, x), expected)
    small = WIDTH.extract(block, 4)
    assert torch.allclose(small(x), expected)
    assert (small[0].out_features, small[2].in_features) == (4, 4)


def test_width_of_convolutions_by_hand() -> None:
    block = conv_block().eval()
    x = images(3)
    a, norm, _, b, norm2, _, c = block
    y = functional.conv2d(x, a.weight[:4])
    y = functional.batch_norm(
        y, norm.running_mean[:4], norm.running_var[:4], norm.weight[:4], norm.bias[:4]
    ).clamp(0, 6)
    y = functional.conv2d(y, b.weight[:4], b.bias[:4], stride=2, padding=1, groups=4)
    y = functional.batch_norm(
        y, norm2.running_mean[:4], norm2.running_var[:4], norm2.weight[:4], norm2.bias[:4]
    )
    expected = functional.conv2d(functional.hardswish(y), c.weight[:, :4], c.bias)
    assert torch.allclose(WIDTH.run(block, 4, x), expected, atol=1e-5)


@pytest.mark.parametrize("width", [1, 3, 8])
def test_extracted_width_is_a_smaller_block(width: int) -> None:
    small = WIDTH.extract(conv_block(), width)
    assert (small[0].out_channels, small[0].in_channels) == (width, 3)
    assert (small[3].groups, small[3].in_channels, small[3].out_channels) == (width,) * 3
    assert (small[6].in_channels, small[6].out_channels) == (width, 4)
    assert small[1].num_features == small[4].num_features == width
    built = nn.Sequential(
        nn.Conv2d(3, width, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU6(),
        nn.Conv2d(width, width, 3, stride=2, padding=1, groups=width),
        nn.BatchNorm2d(width),
        nn.Hardswish(),
        nn.Conv2d(width, 4, 1),
    )
    built.load_state_dict(small.state_dict())
    assert torch.equal(built.eval()(images(3)), small.eval()(images(3)))


@pytest.mark.parametrize("settings", [{}, {"momentum": None}, {"affine": False}, {"eps": 0.1}])
def test_running_statistics_are_those_of_the_smaller_block(settings: dict[str, Any]) -> None:
    block = conv_block(lambda n: nn.BatchNorm2d(n, **settings)).train()
    small = WIDTH.extract(block, 4).train()
    before = copy.deepcopy(block)
    for i in range(3):
        x = images(3) + i
        assert torch.allclose(WIDTH.run(block, 4, x), small(x), atol=1e-5)
    for layer in (1, 4):
        assert block[layer].num_batches_tracked == 3
        for name in ("running_mean", "running_var"):
            shared, own = getattr(block[layer], name), getattr(small[layer], name)
            assert torch.allclose(shared[:4], own, atol=1e-5)
            assert not torch.equal(own, getattr(before[layer], name)[:4])
            assert torch.equal(shared[4:], getattr(before[layer], name)[4:])


def test_evaluation_leaves_the_statistics_alone() -> None:
    block = conv_block().eval()
    before = copy.deepcopy(block.state_dict())
    WIDTH.run(block, 4, images(3))
    assert all(torch.equal(tensor, before[name]) for name, tensor in block.state_dict().items())


def test_norm_without_statistics_uses_the_batch() -> None:
    block = conv_block(lambda n: nn.BatchNorm2d(n, track_running_stats=False)).eval()
    small = WIDTH.extract(block, 4)
    assert torch.allclose(WIDTH.run(block, 4, images(3)), small(images(3)), atol=1e-5)


def test_norm_of_vectors() -> None:
    block = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.GELU(), nn.Linear(8, 2))
    x = torch.randn(6, 3)
    assert torch.allclose(WIDTH.run(block, 2, x), WIDTH.extract(block, 2)(x), atol=1e-6)


def test_one_activation_used_twice() -> None:
    relu = nn.LeakyReLU(-1.0)
    depthwise = nn.Conv2d(4, 4, 1, groups=4)
    block = nn.Sequential(nn.Conv2d(1, 4, 1), relu, depthwise, relu, nn.Conv2d(4, 1, 1))
    x = images(1)
    assert torch.allclose(WIDTH.run(block, 4, x), block(x), atol=1e-6)
    small = WIDTH.extract(block, 2)
    assert len(small) == 5
    assert torch.allclose(WIDTH.run(block, 2, x), small(x), atol=1e-6)


def test_one_layer_used_twice_stays_one() -> None:
    depthwise = nn.Conv2d(4, 4, 1, groups=4)
    block = nn.Sequential(nn.Conv2d(1, 4, 1), depthwise, depthwise, nn.Conv2d(4, 1, 1))
    assert len(list(WIDTH.extract(block, 2).parameters())) == len(list(block.parameters()))


def test_weights_are_copied() -> None:
    block = conv_block()
    small = WIDTH.extract(block, 4)
    with torch.no_grad():
        for parameter in small.parameters():
            parameter.zero_()
    assert all(bool((parameter != 0).all()) for parameter in block.parameters())


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (nn.Linear(2, 8), "needs a Sequential of at least two layers"),
        (nn.Sequential(nn.Linear(2, 8)), "needs a Sequential of at least two layers"),
        (nn.Sequential(nn.ReLU(), nn.Linear(2, 8)), "must start and end with a Linear or"),
        (nn.Sequential(nn.Linear(2, 8), nn.ReLU()), "must start and end with a Linear or"),
        (
            nn.Sequential(nn.Conv2d(8, 8, 1, groups=2), nn.Conv2d(8, 8, 1)),
            "must start and end with a Linear or",
        ),
        (
            nn.Sequential(nn.Linear(2, 8), nn.LayerNorm(8), nn.Linear(8, 2)),
            "LayerNorm.* does not treat every feature alone",
        ),
        (
            nn.Sequential(nn.Conv2d(2, 8, 1), nn.Conv2d(8, 8, 1, groups=4), nn.Conv2d(8, 8, 1)),
            "does not treat every feature alone",
        ),
        (
            nn.Sequential(nn.Conv2d(2, 8, 1), nn.Conv2d(8, 16, 1, groups=8), nn.Conv2d(16, 8, 1)),
            "does not treat every feature alone",
        ),
        (
            nn.Sequential(nn.Linear(2, 8), nn.Linear(8, 8), nn.Linear(8, 2)),
            "does not treat every feature alone",
        ),
        (
            nn.Sequential(nn.Conv2d(2, 8, 3, padding_mode="reflect"), nn.Conv2d(8, 2, 1)),
            "padding_mode 'reflect'",
        ),
    ],
)
def test_width_refuses(block: nn.Module, message: str) -> None:
    with pytest.raises(NasError, match=message):
        Elastic(block, width=(2, 4))


def test_what_stands_around_the_layers_runs_as_it_is() -> None:
    """The usual block ends with a norm; that of a residual network before activation begins so."""
    norm, last = nn.BatchNorm2d(3), nn.BatchNorm2d(4)
    inner = [nn.Conv2d(3, 8, 3, padding=1, groups=1), nn.BatchNorm2d(8), nn.ReLU()]
    depthwise = [nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.Conv2d(8, 4, 1)]
    block = scrambled(nn.Sequential(norm, nn.ReLU(), *inner, *depthwise, last)).eval()
    x = images(3)
    assert torch.allclose(WIDTH.run(block, 8, x), block(x), atol=1e-5)
    for width in (1, 5, 8):
        small = WIDTH.extract(block, width)
        assert torch.allclose(WIDTH.run(block, width, x), small(x), atol=1e-5)
        assert [len(list(small[i].parameters())) for i in (0, 7)] == [2, 2]
        assert (small[0].num_features, small[3].num_features, small[7].num_features) == (
            3, width, 4,
        )  # fmt: skip
    parts = Elastic(block, width=(1, 8)).parts()
    assert [part for part, _ in parts] == [norm, block[1], last]
    assert {options for _, options in parts} == {(0, 1)}


def test_width_of_sequences() -> None:
    inner = [nn.Conv1d(3, 8, 3, padding=1), nn.BatchNorm1d(8), nn.MaxPool1d(2)]
    depthwise = [nn.Conv1d(8, 8, 3, padding=1, groups=8), nn.Conv1d(8, 4, 1)]
    block = scrambled(nn.Sequential(*inner, *depthwise)).eval()
    x = images(3)[..., 0, :]
    assert torch.allclose(WIDTH.run(block, 8, x), block(x), atol=1e-4)
    assert torch.allclose(WIDTH.run(block, 2, x), WIDTH.extract(block, 2)(x), atol=1e-5)


# -- kernel -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("settings", [{}, {"stride": 2}, {"dilation": 2, "padding": 4}])
def test_kernel_is_the_centre(size: int, settings: dict[str, int]) -> None:
    layer = nn.Conv2d(4, 6, 5, groups=2, **{"padding": 2, **settings})
    cut = (5 - size) // 2
    centre = layer.weight[:, :, cut : 5 - cut, cut : 5 - cut]
    padded = functional.pad(centre, (cut,) * 4)  # a smaller kernel is the large one, zero around
    padding = settings.get("padding", 2)
    stride, dilation = settings.get("stride", 1), settings.get("dilation", 1)
    x = images(4, 11)
    expected = functional.conv2d(x, padded, layer.bias, stride, padding, dilation, groups=2)
    assert torch.allclose(KERNEL.run(layer, size, x), expected, atol=1e-5)
    small = KERNEL.extract(layer, size)
    assert small.kernel_size == (size, size)
    assert small.weight.shape == (6, 2, size, size)
    assert torch.allclose(small(x), expected, atol=1e-5)


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("dimensions", [1, 3])
def test_kernel_of_other_dimensions(dimensions: int, groups: int, size: int) -> None:
    kind = {1: nn.Conv1d, 3: nn.Conv3d}[dimensions]
    layer = kind(4, 4, 3, padding=1, groups=groups)
    cut = (3 - size) // 2
    alone = kind(4, 4, size, padding=size // 2, groups=groups)
    with torch.no_grad():
        inner = (..., *[slice(cut, 3 - cut)] * dimensions)
        alone.weight.copy_(layer.weight[inner])
        alone.bias.copy_(layer.bias)
    x = torch.randn(2, 4, *[5] * dimensions)
    small = KERNEL.extract(layer, size)
    assert torch.allclose(KERNEL.run(layer, size, x), alone(x), atol=1e-6)
    assert torch.allclose(small(x), alone(x), atol=1e-6)
    assert repr(small) == repr(alone)


def test_kernel_without_bias() -> None:
    layer = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    assert KERNEL.extract(layer, 1).bias is None
    assert KERNEL.run(layer, 1, images(1)).shape == (5, 1, 7, 7)


@pytest.mark.parametrize(
    ("layer", "sizes", "message"),
    [
        (nn.Linear(3, 3), (1, 3), "needs one Conv2d with a square kernel"),
        (nn.Conv2d(1, 1, (1, 3)), (1, 3), "needs one Conv2d with a square kernel"),
        (nn.Conv2d(1, 1, 3, padding=0), (1, 3), r"padding \(1, 1\) is needed.*has \(0, 0\)"),
        (nn.Conv2d(1, 1, 3, padding="same"), (1, 3), r"padding \(1, 1\) is needed.*has same"),
        (nn.Conv2d(1, 1, 5, padding=2), (2, 5), "odd sizes are needed"),
        (nn.Conv2d(1, 1, 4, padding=2), (1, 3), "odd sizes are needed"),
        (
            nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular"),
            (1, 3),
            "padding_mode 'circular'",
        ),
    ],
)
def test_kernel_refuses(layer: nn.Module, sizes: tuple[int, ...], message: str) -> None:
    with pytest.raises(NasError, match=message):
        Elastic(layer, kernel_size=sizes)


# -- depth ------------------------------------------------------------------------------------


def test_depth_runs_the_first_modules() -> None:
    relu = nn.ReLU()
    block = nn.Sequential(nn.Linear(3, 3), relu, nn.Linear(3, 3), relu)
    x = torch.randn(5, 3)
    for depth in (1, 2, 3, 4):
        expected = x
        for layer in list(block)[:depth]:
            expected = layer(expected)
        assert torch.equal(DEPTH.run(block, depth, x), expected)
        small = DEPTH.extract(block, depth)
        assert len(small) == depth
        assert torch.equal(small(x), expected)


def test_depth_needs_a_sequential() -> None:
    with pytest.raises(NasError, match="Elastic depth needs a Sequential, not Linear"):
        Elastic(nn.Linear(1, 1), depth=(1,))


def test_depth_runs_every_module_in_some_architecture() -> None:
    with pytest.raises(NasError, match=r"depth=\(1, 2\): the last 1 of 3 modules never run"):
        Elastic(nn.Sequential(nn.ReLU(), nn.ReLU(), nn.ReLU()), depth=(1, 2))


# -- sizes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(), (0, 1), (-1,), (2, 2), (1, 9)])
@pytest.mark.parametrize("kind", ["width", "kernel_size", "depth"])
def test_sizes_are_checked(kind: str, sizes: tuple[int, ...]) -> None:
    block: nn.Module = nn.Sequential(nn.Linear(2, 5), nn.Linear(5, 2))
    if kind == "kernel_size":
        block = nn.Conv2d(1, 1, 5, padding=2)
    with pytest.raises(NasError, match=rf"Elastic {kind}=.*: distinct sizes from 1 to [25]"):
        Elastic(block, **{kind: sizes})
