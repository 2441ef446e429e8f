"""Blocks of RegNets against plain references: outputs and gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.evaluators.weight_inheritance import shareable
from nas.search_spaces.regnets.network import RegNet, RegNetBlock, SqueezeExcitation

EPS = 1e-5


def normal(net: nn.Module) -> None:
    torch.manual_seed(0)
    for parameter in net.double().parameters():
        nn.init.normal_(parameter)


def grouped(x: Tensor, weight: Tensor, stride: int, groups: int) -> Tensor:
    """Convolve each group alone, a sum over the places of the kernel."""
    size, (batch, _, height, _) = weight.shape[-1], x.shape
    padding, out = size // 2, -(-height // stride)
    x = nn.functional.pad(x, [padding] * 4)
    parts = []
    for mine, kernel in zip(x.chunk(groups, 1), weight.chunk(groups), strict=True):
        total = x.new_zeros(batch, len(kernel), out, out)
        for i in range(size):
            for j in range(size):
                shifted = mine[:, :, i:, j:][:, :, ::stride, ::stride][:, :, :out, :out]
                total = total + torch.einsum("bchw,oc->bohw", shifted, kernel[:, :, i, j])
        parts.append(total)
    return torch.cat(parts, 1)


def norm(x: Tensor, layer: Any) -> Tensor:
    mean = x.mean((0, 2, 3), keepdim=True)
    deviation = ((x - mean).square().mean((0, 2, 3), keepdim=True) + EPS).sqrt()
    weight, bias = (p[:, None, None] for p in (layer.weight, layer.bias))
    return (x - mean) / deviation * weight + bias


def squeezed(se: Any, x: Tensor) -> Tensor:
    means = x.mean((2, 3))
    inner = (means @ se.fc1.weight[:, :, 0, 0].T + se.fc1.bias).clamp_min(0)
    scale = 1 / (1 + torch.exp(-(inner @ se.fc2.weight[:, :, 0, 0].T + se.fc2.bias)))
    return x * scale[:, :, None, None]


def reference(block: Any, x: Tensor, stride: int, groups: int) -> Tensor:
    y = norm(grouped(x, block.f.a[0].weight, 1, 1), block.f.a[1]).clamp_min(0)
    y = norm(grouped(y, block.f.b[0].weight, stride, groups), block.f.b[1]).clamp_min(0)
    if hasattr(block.f, "se"):
        y = squeezed(block.f.se, y)
    y = norm(grouped(y, block.f.c[0].weight, 1, 1), block.f.c[1])
    if hasattr(block, "proj"):
        x = norm(grouped(x, block.proj[0].weight, stride, 1), block.proj[1])
    return (x + y).clamp_min(0)


@pytest.mark.parametrize("se_ratio", [0.0, 0.25])
@pytest.mark.parametrize(("c_in", "stride"), [(8, 1), (8, 2), (12, 1), (12, 2)])
def test_outputs_and_gradients_of_a_block(c_in: int, stride: int, se_ratio: float) -> None:
    """Groups of 4 of 8 channels; the skip has weights where the shape changes."""
    block = RegNetBlock(c_in, 8, 4, stride, se_ratio)
    normal(block)
    assert hasattr(block, "proj") == ((c_in, stride) != (8, 1))
    x = torch.randn(3, c_in, 5, 5, dtype=torch.double)
    ours, theirs = block(x), reference(block, x, stride, 2)
    assert torch.allclose(ours, theirs, atol=1e-9)
    parameters, pull = list(block.parameters()), torch.randn_like(ours)
    pairs = [torch.autograd.grad((y * pull).sum(), parameters) for y in (ours, theirs)]
    assert all(torch.allclose(a, b, atol=1e-7) for a, b in zip(*pairs, strict=True))


@pytest.mark.parametrize(("c_in", "inside"), [(12, 3), (32, 8), (2, 1)])
def test_the_squeeze_follows_the_input(c_in: int, inside: int) -> None:
    block: Any = RegNetBlock(c_in, 16, 8, 1, 0.25)
    assert isinstance(block.f.se, SqueezeExcitation)
    assert block.f.se.fc1.weight.shape == (inside, 16, 1, 1)


@pytest.mark.parametrize(("stem", "sizes"), [("imagenet", [8, 4, 2, 1]), ("cifar", [32, 16, 8, 4])])
def test_resolution_and_names(stem: str, sizes: list[int]) -> None:
    net: Any = RegNet([8, 16, 16, 24], [1, 2, 1, 1], [8] * 4, 0.0, 3, 5, stem, 4)
    assert [name for name, _ in net.trunk_output[1].named_children()] == ["block2-0", "block2-1"]
    x, found = net.stem(torch.randn(2, 3, 32, 32)), []
    for stage in net.trunk_output:
        x = stage(x)
        found.append(x.shape[-1])
    assert found == sizes
    assert torch.allclose(net.eval()(torch.zeros(2, 3, 32, 32))[0], net(torch.zeros(1, 3, 32, 32)))


def test_the_head_is_a_linear_layer_on_means() -> None:
    net: Any = RegNet([8, 8, 8, 8], [1] * 4, [4] * 4, 0.25, 1, 5, "cifar", 4).eval()
    x = torch.randn(2, 1, 8, 8)
    means = net.trunk_output(net.stem(x)).flatten(2).mean(2)
    assert torch.allclose(net(x), means @ net.fc.weight.T + net.fc.bias, atol=1e-5)


def test_weights_are_drawn_by_what_leaves_a_layer() -> None:
    """Deviation sqrt(2 / (kernel area x output channels)), also where channels are in groups."""
    torch.manual_seed(0)
    net: Any = RegNet([64, 64, 64, 256], [1] * 4, [16] * 4, 0.25, 3, 100)
    [last] = net.trunk_output[3]
    for conv, area in ((last.f.a[0], 1), (last.f.b[0], 9), (last.f.se.fc2, 1)):
        expected = (2 / (area * 256)) ** 0.5
        assert conv.weight.std().item() == pytest.approx(expected, rel=0.05)
    assert net.fc.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert not net.fc.bias.any()


def test_projections_are_never_passed_on() -> None:
    """A skip connection's weights are not, by what the projection says of itself (AGNN)."""
    network = RegNet([8, 16], [1, 2], [8, 8], 0.25, 3, 2)
    blocks = [module for module in network.modules() if isinstance(module, RegNetBlock)]
    declared = [block.proj.sharing_key for block in blocks if block.projects]
    assert declared == [None, None] and len(blocks) == 3
    names = {name for weights in shareable(network).values() for name in weights}
    assert not any(".proj." in name for name in names)
    assert {name.split(".")[3] for name in names if ".block2-0." in name} == {"f"}
