"""What states of a group share."""

from __future__ import annotations

import torch
from made_banks import (
    CHANNELS,
    make_bank,
    states,
)

from nas.search_spaces.cells.group_states import GroupStates
from nas.search_spaces.cells.kernels import to_parity


def test_dilation_needs_even_sizes_at_stride_1_only() -> None:
    bank, _ = make_bank(("dil_conv_3x3",), 1)
    assert bank.parity(GroupStates(states(6), 1))
    assert not bank.parity(GroupStates(states(5), 1))
    assert not bank.parity(GroupStates(states(6), 2))
    high, wide = torch.zeros(1, 3, 6, 5), torch.zeros(1, 3, 5, 6)
    assert not bank.parity(GroupStates([high], 1)) and not bank.parity(GroupStates([wide], 1))
    [x, _] = GroupStates(states(6), 1).dilated or []
    assert torch.equal(x, to_parity(states(6)[0].relu()))


def test_halves_of_an_odd_size() -> None:
    """The shifted half sees a row and a column of zeros beyond the image."""
    [x, _] = GroupStates(states(5), 2).halves
    assert x.shape == (4, 2 * CHANNELS, 3, 3)
    assert torch.equal(x[:, :CHANNELS], states(5)[0].relu()[:, :, ::2, ::2])
    assert torch.equal(x[:, CHANNELS:, :2, :2], states(5)[0].relu()[:, :, 1::2, 1::2])
    assert not x[:, CHANNELS:, 2].any() and not x[:, CHANNELS:, :, 2].any()
