"""The blocks and the shapes of the network of NAS-Bench-Macro."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nas.search_spaces.macro.network import BLOCKS, InvertedResidual, MacroNetwork, make_block
from nas.search_spaces.macro.supernetwork import MacroSupernetwork


@pytest.mark.parametrize("operation", BLOCKS)
@pytest.mark.parametrize(("c_out", "stride", "size"), [(4, 1, 6), (8, 2, 3)])
def test_shapes(operation: str, c_out: int, stride: int, size: int) -> None:
    block = make_block(operation, 4, c_out, stride)
    assert block(torch.randn(2, 4, 6, 6)).shape == (2, c_out, size, size)


def test_an_identity_projects_where_the_shape_changes() -> None:
    assert isinstance(make_block("identity", 4, 4, 1), nn.Identity)
    projection = make_block("identity", 4, 8, 2)
    assert sum(p.numel() for p in projection.parameters()) == 4 * 8 + 2 * 8


@pytest.mark.parametrize(
    ("c_out", "stride", "residual"), [(4, 1, True), (4, 2, False), (8, 1, False)]
)
def test_a_block_adds_its_input_where_the_shape_stays(
    c_out: int, stride: int, residual: bool
) -> None:
    block = InvertedResidual(4, c_out, 3, 3, stride).eval()
    x = torch.randn(2, 4, 6, 6)
    rest = block(x) - block.conv(x)
    assert torch.allclose(rest, x if residual else torch.zeros_like(rest), atol=1e-6)


def test_kernel_and_expansion() -> None:
    for operation, (kernel, expansion) in list(BLOCKS.items())[1:]:
        depthwise = make_block(operation, 4, 4, 1).conv[3]
        assert depthwise.kernel_size == (kernel, kernel)
        assert depthwise.groups == depthwise.out_channels == 4 * expansion


def test_channels_double_and_the_resolution_halves_with_every_stage() -> None:
    network = MacroNetwork(["mb3_k3"] * 5, [2, 3], 3, 7, channels=4, head=16)
    x, sizes = network.stem(torch.randn(2, 3, 16, 16)), []
    for layer in network.layers:
        x = layer(x)
        sizes.append(tuple(x.shape[1:3]))
    assert sizes == [(8, 8), (8, 8), (16, 4), (16, 4), (16, 4)]
    assert network(torch.randn(2, 3, 16, 16)).shape == (2, 7)


def test_a_supernetwork_has_every_block_in_every_layer() -> None:
    network = MacroSupernetwork(["a", "b"], ["identity", "mb6_k5"], [2], 3, 7, 4, 16)
    assert [layer.label for layer in network.layers] == ["a", "b"]
    assert [list(layer.candidates) for layer in network.layers] == [["identity", "mb6_k5"]] * 2
