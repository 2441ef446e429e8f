"""The network of NATS-Bench's size space: its cell at any width."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nas.search_spaces.cells.dense_network import DenseCell, ResidualBlock
from nas.search_spaces.cells.sized_network import Projection, SizedCell, SizedNetwork

BEST = [*["nor_conv_3x3"] * 3, "skip_connect", *["nor_conv_3x3"] * 2]


def test_a_cell_that_keeps_its_width_is_that_of_nas_bench_201() -> None:
    sized, dense = SizedCell(4, 4, False).eval(), DenseCell(BEST, 4, True, 1).eval()
    dense.edges.load_state_dict(sized.edges.state_dict())
    x = torch.randn(2, 4, 6, 6)
    assert torch.allclose(sized(x), dense(x), atol=1e-6)
    assert isinstance(sized.skip, nn.Identity)


def test_a_cell_that_changes_its_width_projects_the_skip() -> None:
    """Without ReLU before it, as in the published code."""
    cell = SizedCell(4, 6, True).eval()
    for name in ("3_1", "3_2"):
        nn.init.zeros_(cell.edges[name].norm.weight)
    x = torch.randn(2, 4, 6, 6)
    assert torch.allclose(cell(x), cell.skip.norm(cell.skip.conv(x)), atol=1e-6)
    assert cell.edges["1_0"].conv.in_channels == 4 and cell.edges["2_1"].conv.in_channels == 6


def test_layers() -> None:
    network = SizedNetwork([8, 16, 16, 24, 32], 1, 5)
    shapes = []
    for layer in network.layers:
        layer.register_forward_hook(lambda _, __, y: shapes.append(tuple(y.shape[1:])))
    assert network(torch.randn(2, 1, 9, 9)).shape == (2, 5)
    assert shapes == [(8, 9, 9), (16, 5, 5), (16, 5, 5), (24, 3, 3), (32, 3, 3)]
    kinds = [type(layer) for layer in network.layers]
    assert kinds == [SizedCell, ResidualBlock, SizedCell, ResidualBlock, SizedCell]


@pytest.mark.parametrize("projects", [False, True])
def test_skips_project_where_the_width_changes_or_always(projects: bool) -> None:
    network = SizedNetwork([8, 16, 16, 24, 32], 1, 5, projects=projects)
    found = [isinstance(network.layers[i].skip, Projection) for i in (0, 2, 4)]
    assert found == [False, projects, True]
