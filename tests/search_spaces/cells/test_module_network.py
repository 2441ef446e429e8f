"""The networks of TransNAS-Bench-101: blocks, cells that halve, modules."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nas.search_spaces.cells.dense_network import DenseCell
from nas.search_spaces.cells.module_network import (
    BasicBlock,
    BasicModuleNetwork,
    CellModuleNetwork,
    HalvingCell,
    halved_zeros,
    make_wide_operation,
)


def images(channels: int = 4, size: int = 8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, channels, size, size, generator=generator)


def cell(*operations: str) -> HalvingCell:
    return HalvingCell(list(operations), 4, 8, True).eval()


def test_basic_block_adds_its_input() -> None:
    block = BasicBlock(4, 4, 1).eval()
    nn.init.zeros_(block.second.norm.weight)
    assert torch.equal(block(images()), images())


@pytest.mark.parametrize(("c_out", "stride"), [(4, 2), (8, 1), (8, 2)])
def test_basic_block_projects_where_the_shape_changes(c_out: int, stride: int) -> None:
    block = BasicBlock(4, c_out, stride).eval()
    nn.init.zeros_(block.second.norm.weight)
    assert torch.allclose(block(images()), block.shortcut(images()))
    assert block.shortcut[0].stride == (stride, stride)


def test_only_edges_from_the_input_widen_and_halve() -> None:
    made = cell(*["nor_conv_3x3"] * 6)
    shapes = {name: (edge.conv.in_channels, edge.conv.stride) for name, edge in made.edges.items()}
    assert shapes == {
        name: (4, (2, 2)) if name.endswith("_0") else (8, (1, 1)) for name in made.edges
    }
    assert made(images()).shape == (2, 8, 4, 4)


def test_a_skip_of_the_input_is_a_convolution_and_others_are_none() -> None:
    made = cell("skip_connect", "none", "skip_connect", "none", "none", "skip_connect")
    assert torch.equal(made(images()), made.edges["1_0"](images()))
    assert [name for name, edge in made.edges.items() if list(edge.parameters())] == ["1_0"]


def test_sums_by_hand() -> None:
    made, x = (
        cell("nor_conv_1x1", "nor_conv_3x3", "none", "skip_connect", "none", "nor_conv_1x1"),
        images(),
    )
    second = made.edges["2_0"](x)
    assert torch.allclose(made(x), made.edges["3_0"](x) + made.edges["3_2"](second))


@pytest.mark.parametrize("size", [1, 7, 8])
def test_nothing_gives_zeros_of_the_right_shape(size: int) -> None:
    x = images(size=size)
    nothing, something = (
        cell(*["none"] * 6)(x),
        cell("none", "none", "none", *["nor_conv_3x3"] * 3)(x),
    )
    assert not nothing.any() and nothing.shape == something.shape == halved_zeros(x, 8).shape


def test_an_unknown_operation_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown operation 'max_pool_3x3'"):
        make_wide_operation("max_pool_3x3", 4, 4, 1, True)


# -- modules --------------------------------------------------------------------------------------


def shapes_of(network: nn.Module, x: torch.Tensor) -> list[tuple[int, ...]]:
    shapes: list[tuple[int, ...]] = []
    for block in network.blocks:
        block.register_forward_hook(lambda _, __, y: shapes.append(tuple(y.shape[1:])))
    assert network(x).shape == (2, 5)
    return shapes


def test_codes_say_what_a_module_does() -> None:
    network = BasicModuleNetwork(3, 5, "1234", channels=4, blocks=2, stem="cifar")
    assert shapes_of(network, images(3)) == [
        (4, 8, 8), (4, 8, 8), (8, 8, 8), (8, 8, 8), (8, 4, 4), (8, 4, 4), (16, 2, 2), (16, 2, 2),
    ]  # fmt: skip


def test_cells_halve_at_the_start_of_a_module() -> None:
    network = CellModuleNetwork(["nor_conv_1x1"] * 6, 3, 5, "414", channels=4, stem="cifar")
    kinds = [type(block) for block in network.blocks]
    assert kinds == [HalvingCell, DenseCell, DenseCell, DenseCell, HalvingCell, DenseCell]
    assert shapes_of(network, images(3))[-1] == (16, 2, 2)


def test_stems() -> None:
    """The published one divides the resolution by four."""
    for kind, size in (("imagenet", 2), ("cifar", 8)):
        stem = BasicModuleNetwork(3, 5, "4", channels=4, stem=kind).stem
        assert stem(images(3)).shape == (2, 4, size, size)


def test_affine_and_partial_channels_are_those_of_cells() -> None:
    options = {"channels": 8, "affine": False, "partial_channels": 4}
    network = CellModuleNetwork(["nor_conv_3x3"] * 6, 3, 5, "41", blocks=1, **options)
    halving, dense = network.blocks
    assert halving.edges["1_0"].conv.in_channels == 8
    assert dense.edges["1_0"].op.conv.in_channels == 4
    norms = [m.affine for m in network.blocks.modules() if isinstance(m, nn.BatchNorm2d)]
    assert set(norms) == {False}
