"""Layers at a part of their features against plain layers with copies of that part."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nas.errors import NasError
from nas.search_spaces.sliced.layers import (
    batch_norm,
    centre,
    conv,
    copy_parts,
    depthwise,
    layer_norm,
    linear,
)
from nas.search_spaces.sliced.options import without_cells


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("bias", [True, False])
def test_linear(bias: bool) -> None:
    wide, small, x = nn.Linear(6, 8, bias=bias), nn.Linear(4, 5, bias=bias), torch.randn(3, 4)
    copy_parts(wide.state_dict(), small)
    assert torch.allclose(linear(wide, x, 5), small(x))


@pytest.mark.parametrize(("bias", "kernel"), [(True, 1), (False, 3)])
def test_conv(bias: bool, kernel: int) -> None:
    def make(c_in: int, c_out: int) -> nn.Conv2d:
        return nn.Conv2d(c_in, c_out, kernel, stride=2, padding=kernel // 2, bias=bias)

    wide, small, x = make(6, 8), make(4, 5), torch.randn(2, 4, 6, 6)
    copy_parts(wide.state_dict(), small)
    assert torch.allclose(conv(wide, x, 5), small(x), atol=1e-6)


@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_depthwise_at_the_centre_of_the_kernel(kernel: int) -> None:
    def make(c: int, k: int) -> nn.Conv2d:
        return nn.Conv2d(c, c, k, stride=2, padding=k // 2, groups=c, bias=False)

    wide, small, x = make(6, 7), make(4, kernel), torch.randn(2, 4, 6, 6)
    copy_parts(wide.state_dict(), small)
    assert torch.allclose(depthwise(wide, x, centre(wide.weight[:4], kernel)), small(x), atol=1e-6)


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm(momentum: float | None, training: bool) -> None:
    wide, small = (nn.BatchNorm1d(n, momentum=momentum).train(training) for n in (6, 4))
    for parameter in wide.parameters():
        nn.init.uniform_(parameter)
    for _ in range(2):
        x = torch.randn(5, 4)
        copy_parts({**wide.state_dict()}, small)
        assert torch.allclose(batch_norm(wide, x), small(x), atol=1e-6)
        assert torch.allclose(wide.running_mean[:4], small.running_mean)
        assert torch.allclose(wide.running_var[:4], small.running_var)
        assert (wide.running_mean[4:] == 0).all()


def test_layer_norm() -> None:
    wide, small, x = nn.LayerNorm(6), nn.LayerNorm(4), torch.randn(5, 4)
    nn.init.uniform_(wide.weight)
    copy_parts(wide.state_dict(), small)
    assert torch.allclose(layer_norm(wide, x), small(x))


def test_options_of_cells_are_refused() -> None:
    assert without_cells({"partial_channels": 1, "edge_gates": False, "scale": 2}, "s") == {
        "scale": 2
    }
    for options in ({"partial_channels": 4}, {"edge_gates": True}):
        with pytest.raises(NasError, match="'s' has no partial channels or edge gates"):
            without_cells(options, "s")
