"""Copying batches from the host to a device before they are asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["to_device"]

_AHEAD = 2
"""Batches under way or waiting on the device."""


@dataclass(frozen=True)
class _Copy:
    """A batch on its way to a device, and on CUDA what tells its arrival."""

    batch: Tensor
    arrival: torch.cuda.Event | None

    def wait(self) -> Tensor:
        """Return the batch; what is queued on the device from now on sees all of it."""
        if self.arrival is not None:
            using = torch.cuda.current_stream(self.batch.device)
            using.wait_event(self.arrival)
            # The memory belongs to the copying stream: it must not reuse it before `using` is done.
            self.batch.record_stream(using)
        return self.batch


def to_device(
    batches: Generator[Tensor, None, None], device: torch.device
) -> Generator[Tensor, None, None]:
    """Copy batches to a device, two ahead of the one that is asked for.

    On CUDA copies run beside the computation, on a stream of their own and from pinned memory.
    Elsewhere they are plain ones.

    Args:
        batches: On the CPU; closed with this iterator.
        device: Where they shall come out.
    """
    stream = None
    if device.type == "cuda":
        stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    under_way: deque[_Copy] = deque()
    with closing(batches):
        for batch in batches:
            under_way.append(_start(batch, device, stream))
            if len(under_way) > _AHEAD:
                yield under_way.popleft().wait()
        while under_way:
            yield under_way.popleft().wait()


def _start(batch: Tensor, device: torch.device, stream: torch.cuda.Stream | None) -> _Copy:
    if stream is None:
        return _Copy(batch.to(device), None)
    pinned = batch if batch.is_pinned() else batch.pin_memory()
    with torch.cuda.stream(stream):
        # PyTorch keeps the pinned memory from reuse until the copy from it has ended.
        copied = pinned.to(device, non_blocking=True)
        return _Copy(copied, stream.record_event())
