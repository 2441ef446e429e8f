"""Which bank an operation is kept in, and those without a fused form or weights."""

from __future__ import annotations

import copy

import pytest
import torch
from made_banks import (
    CHANNELS,
    EDGES,
    TARGETS,
    make_bank,
    slots_of,
    states,
)
from torch import nn

from nas.search_spaces.cells.bank import Bank
from nas.search_spaces.cells.banks import (
    FactorizedReduceBank,
    ReLUConvBank,
    SeparateBank,
    SharedBank,
    bank_class,
)
from nas.search_spaces.cells.group_states import GroupStates
from nas.search_spaces.cells.operations import DilConv, make_operation
from nas.search_spaces.cells.separable import DilConvBank, SepConvBank


@pytest.mark.parametrize(
    ("name", "stride", "kind"),
    [
        ("sep_conv_3x3", 1, SepConvBank),
        ("dil_conv_5x5", 2, DilConvBank),
        ("nor_conv_3x3", 1, ReLUConvBank),
        ("skip_connect", 1, SharedBank),
        ("skip_connect", 2, FactorizedReduceBank),
        ("max_pool_3x3", 1, SharedBank),
        ("conv_7x1_1x7", 1, SeparateBank),
    ],
)
def test_banks_of_operations(name: str, stride: int, kind: type[Bank]) -> None:
    assert bank_class(make_operation(name, 4, stride)) is kind


def test_a_layer_without_dilation_has_a_bank_of_its_own() -> None:
    assert bank_class(DilConv(4, 3, 1, dilation=1)) is SeparateBank


@pytest.mark.parametrize("name", ["max_pool_3x3", "avg_pool_3x3", "skip_connect"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("momentum", [0.1, None])
def test_operations_without_weights_run_once_a_state(
    name: str, stride: int, momentum: float | None
) -> None:
    if name == "skip_connect" and stride == 2:
        pytest.skip("it has weights")
    made = [make_operation(name, CHANNELS, stride, pool_norm=True) for _ in range(EDGES)]
    bank = SharedBank(copy.deepcopy(made), EDGES, TARGETS).double()
    own = [op.double() for op in made[::TARGETS]]
    for layer in [m for op in (bank, *own) for m in op.modules()]:
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = momentum
    for training in (True, True, False):
        for op in (bank, *own):
            op.train(training)
        for source, x in enumerate(states()):
            torch.testing.assert_close(bank.run(x, source), own[source](x))
    for slot in range(EDGES):
        state = bank.state(slot)
        assert state.keys() == made[slot].state_dict().keys()
        for statistic, expected in own[slot // TARGETS].state_dict().items():
            if momentum is None or not statistic.endswith("num_batches_tracked"):
                torch.testing.assert_close(state[statistic], expected)


def test_separate_operations_give_channels_last() -> None:
    bank, _ = make_bank(("conv_7x1_1x7",), 1)
    y = bank.fused(GroupStates(states(), 1), slots_of(bank, [1, 3]), None)
    assert y.is_contiguous(memory_format=torch.channels_last)
