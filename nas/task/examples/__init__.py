"""Raw examples of a task by row: on its device, in the host's memory, or read while training."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["Examples"]


class Examples(Protocol):
    """What a task takes its raw batches from; rows count through train, valid and test."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one example: (C, H, W) or (D,)."""

    @property
    def full_batch_steps(self) -> int:
        """Steps of a training pass, each on all rows of a split; 0 where there are batches."""

    def batches(self, order: Tensor | range, size: int) -> Generator[Any, None, None]:
        """Go through rows in a given order.

        Args:
            order: Rows: int64 [n] on the CPU, or a range without step.
            size: Rows a batch; the last batch may be smaller.

        Returns:
            Raw batches on the device: uint8 or float32, [B, C, H, W] or [B, D], or graphs. They may
            be views of the examples: not to be changed.
        """

    def to(self, device: torch.device, name: str) -> Examples:
        """Return the same examples for another device.

        Args:
            device: Where batches shall come out.
            name: Of the data, for messages.

        Raises:
            NasError: When they would fill over half of the host's memory.
        """
