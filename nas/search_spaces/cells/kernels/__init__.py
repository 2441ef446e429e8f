"""Kernels that the fused execution of cells is made of."""

from nas.search_spaces.cells.kernels.combine import Side, combine
from nas.search_spaces.cells.kernels.depthwise import depthwise
from nas.search_spaces.cells.kernels.layouts import (
    by_slot,
    fold,
    interleave,
    repeat_channels,
    side_by_side,
    to_parity,
)

__all__ = [
    "Side",
    "by_slot",
    "combine",
    "depthwise",
    "fold",
    "interleave",
    "repeat_channels",
    "side_by_side",
    "to_parity",
]
