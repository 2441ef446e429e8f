"""The states of a group of edges, and what several banks need of them, computed once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from nas.search_spaces.cells.kernels import to_parity

__all__ = ["GroupStates"]


class GroupStates:
    """The states of a group, [B, C, H, W] each, and what several banks need of them."""

    def __init__(self, states: Sequence[Tensor], stride: int) -> None:
        self.states = list(states)
        self.stride = stride

    @cached_property
    def relu(self) -> list[Tensor]:
        """The positive parts."""
        return [F.relu(x) for x in self.states]

    @cached_property
    def halves(self) -> list[Tensor]:
        """Positive parts at even rows and columns beside those at odd ones: [B, 2 * C, H', W']."""
        odd = [F.pad(x, (0, 1, 0, 1))[:, :, 1::2, 1::2] for x in self.relu]
        even = [x[:, :, ::2, ::2] for x in self.relu]
        return [torch.cat(pair, dim=1) for pair in zip(even, odd, strict=True)]

    @cached_property
    def dilated(self) -> list[Tensor] | None:
        """The positive parts so that dilation 2 becomes 1; None where the size is odd.

        With stride 2 only even rows and columns are seen at all; with stride 1 see `to_parity`.
        """
        if self.stride == 2:
            form = torch.channels_last
            return [x[:, :, ::2, ::2].contiguous(memory_format=form) for x in self.relu]
        height, width = self.states[0].shape[2:]
        return None if height % 2 or width % 2 else [to_parity(x) for x in self.relu]
