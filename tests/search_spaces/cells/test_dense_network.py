"""The network of NAS-Bench-201: its cell, its stages, its layers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nas.search_spaces.cells.dense_network import DenseCell, DenseNetwork, ResidualBlock


def cell(*operations: str) -> DenseCell:
    return DenseCell(list(operations), 4, True, 1)


def images() -> torch.Tensor:
    return torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))


def test_skips_only() -> None:
    """Every state adds all earlier ones: 1, 1, 2, 4 times the input."""
    x = images()
    assert torch.allclose(cell(*["skip_connect"] * 6)(x), 4 * x)


def test_edges_go_where_their_name_says() -> None:
    x = images()
    made = cell("skip_connect", "none", "avg_pool_3x3", "none", "none", "skip_connect").eval()
    pool = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    assert torch.allclose(made(x), pool(x))
    assert set(made.edges) == {"1_0", "2_1", "3_2"}


def test_none_everywhere_gives_zeros() -> None:
    made = cell(*["none"] * 6)
    assert not made(images()).any()
    assert not list(made.parameters())


def test_a_way_through_zeros() -> None:
    made = cell("none", "none", "nor_conv_3x3", "skip_connect", "none", "nor_conv_3x3").eval()
    assert torch.allclose(made(images()), images(), atol=1e-6)


def test_stages() -> None:
    made = DenseNetwork(["skip_connect"] * 6, 3, 10, channels=4, cells=2)
    kinds = [type(block) for block in made.cells]
    assert kinds == [DenseCell] * 2 + ([ResidualBlock] + [DenseCell] * 2) * 2
    shapes = []
    for block in made.cells:
        block.register_forward_hook(lambda _, __, y: shapes.append(tuple(y.shape[1:])))
    assert made(torch.randn(2, 3, 12, 12)).shape == (2, 10)
    assert shapes == [(4, 12, 12)] * 2 + [(8, 6, 6)] * 3 + [(16, 3, 3)] * 3


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (9, 8)])
def test_any_size(size: tuple[int, int]) -> None:
    made = DenseNetwork(["nor_conv_3x3"] * 6, 1, 3, channels=4, cells=1)
    assert made(torch.randn(2, 1, *size)).shape == (2, 3)


def test_residual_block_adds_the_pooled_input() -> None:
    block = ResidualBlock(4, 8, True).eval()
    with torch.no_grad():
        block.second.norm.weight.zero_()
    pooled = nn.functional.avg_pool2d(images(), 2)
    assert torch.allclose(block(images()), block.shortcut[1](pooled))


def test_affine_is_that_of_cells_and_blocks() -> None:
    made = DenseNetwork(["nor_conv_3x3"] * 6, 1, 3, channels=4, cells=1, affine=False)
    inner = [m.affine for m in made.cells.modules() if isinstance(m, nn.BatchNorm2d)]
    assert set(inner) == {False}
    assert made.stem[1].affine and made.norm.affine


def test_partial_channels() -> None:
    made = DenseNetwork(["nor_conv_3x3"] * 6, 1, 3, channels=8, cells=1, partial_channels=4)
    assert made.cells[0].edges["1_0"].op.conv.in_channels == 2
    assert made(torch.randn(2, 1, 8, 8)).shape == (2, 3)
