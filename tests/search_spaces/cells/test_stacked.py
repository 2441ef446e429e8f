"""Tensors side by side: batch norm of some slots."""

from __future__ import annotations

import copy

import pytest
import torch
from made_banks import (
    make_bank,
    randomise,
    slots_of,
    states,
    together,
)
from torch import nn

from nas.search_spaces.cells.slots import Slots
from nas.search_spaces.cells.stacked import norm_state, run_norm, stack_norm


@pytest.mark.parametrize("at", [[0], [1, 3], [0, 1, 2, 3]])
@pytest.mark.parametrize("momentum", [0.1, 0.0, 1.0, None])
def test_running_statistics(momentum: float | None, at: list[int]) -> None:
    """Of three batches; with momentum None they are averages over all, as PyTorch's are."""
    bank, made = make_bank(("nor_conv_1x1",), 1)
    for layer in [m for op in (bank, *made) for m in op.modules()]:
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = momentum
    slots = slots_of(bank, at)
    for i in range(3):
        xs = [x + i for x in states()]
        together(bank, xs, slots, None)
        for slot, source in zip(at, slots.sources, strict=True):
            made[slot](xs[source])
    for slot, op in enumerate(made):
        for name in ("norm.running_mean", "norm.running_var"):
            expected = op.state_dict()[name]
            torch.testing.assert_close(bank.state(slot)[name], expected, rtol=1e-12, atol=1e-12)


def test_averages_go_on_from_where_other_slots_ran() -> None:
    """Every slot counts its own batches."""
    bank, made = make_bank(("nor_conv_1x1",), 1)
    for layer in [m for op in (bank, *made) for m in op.modules()]:
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None
    for i, at in enumerate(([0, 1], [1, 3], [1], [0, 3], [0, 1, 2, 3])):
        xs, slots = [x * (i + 1) for x in states()], slots_of(bank, at)
        together(bank, xs, slots, None)
        for slot, source in zip(at, slots.sources, strict=True):
            made[slot](xs[source])
    for slot, op in enumerate(made):
        for name, expected in op.state_dict().items():
            torch.testing.assert_close(bank.state(slot)[name], expected, rtol=1e-12, atol=1e-12)


def test_one_batch_norm_for_several() -> None:
    layers = [nn.BatchNorm2d(2, eps=0.5, momentum=0.25, affine=False) for _ in range(3)]
    stacked = stack_norm(layers)
    assert (stacked.num_features, stacked.eps, stacked.momentum) == (6, 0.5, 0.25)
    assert stacked.weight is None
    state = norm_state(stacked, 1, 3, "norm")
    assert {n: tuple(t.shape) for n, t in state.items()} == {
        "norm.running_mean": (2,),
        "norm.running_var": (2,),
        "norm.num_batches_tracked": (),
    }


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_scaled_batch_norm(affine: bool, training: bool) -> None:
    layer = nn.BatchNorm2d(6, affine=affine).double().train(training)
    randomise(layer)
    reference = copy.deepcopy(layer)
    x, scale = torch.randn(2, 6, 3, 3).double(), torch.randn(6).double()
    found = run_norm(layer, x, Slots([0, 1, 2], 3, 3, 3), scale)
    torch.testing.assert_close(found, reference(x) * scale[:, None, None], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(layer.running_var, reference.running_var)
