"""Examples in one tensor: on the device if they fit there, otherwise in the host's memory."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from nas.task.device import check_memory, fits
from nas.task.examples import Examples
from nas.task.examples.prefetch import to_device

__all__ = ["HostExamples", "TensorExamples"]


@dataclass(frozen=True, eq=False)
class TensorExamples:
    """Examples that lie where batches are wanted.

    Args:
        x: All of them: [N, C, H, W] or [N, D].
    """

    x: Tensor
    full_batch_steps: ClassVar[int] = 0

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.x.shape[1:])

    def batches(self, order: Tensor | range, size: int) -> Generator[Tensor, None, None]:
        if isinstance(order, range):  # read as a slice: no index, no copy
            yield from torch.split(self.x[order.start : order.stop], size)
            return
        for rows in torch.split(order.to(self.x.device), size):
            yield self.x.index_select(0, rows)

    def to(self, device: torch.device, name: str) -> Examples:
        if device.type == "cpu":
            check_memory(name, self.x.nbytes, device)
        elif not fits(self.x.nbytes, device):
            return HostExamples(self.x.cpu(), device)
        return TensorExamples(self.x.to(device))


@dataclass(frozen=True, eq=False)
class HostExamples:
    """Examples in the host's memory, for a device that has no room for them.

    Args:
        x: All of them: [N, C, H, W] or [N, D], on the CPU.
        device: Where batches come out.
    """

    x: Tensor
    device: torch.device
    full_batch_steps: ClassVar[int] = 0

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.x.shape[1:])

    def batches(self, order: Tensor | range, size: int) -> Generator[Tensor, None, None]:
        return to_device(TensorExamples(self.x).batches(order, size), self.device)

    def to(self, device: torch.device, name: str) -> Examples:
        here = TensorExamples(self.x)
        return here if device.type == "cpu" else here.to(device, name)
