"""Examples that are read, by other processes, while a network trains on those before."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import torch
from torch import Tensor

from nas.task.examples.prefetch import to_device
from nas.task.examples.workers import Read, Workers
from nas.task.splits import Indices

__all__ = ["StreamedExamples"]


class StreamedExamples:
    """Examples too large to be kept.

    Args:
        read: Reads a batch by the examples' numbers.
        numbers: Of the example in each row, int64 [N].
        workers: Processes that read; 0 reads in this one.
        shape: Of one example.
        device: Where batches come out.
    """

    full_batch_steps = 0

    def __init__(
        self,
        read: Read,
        numbers: Indices,
        workers: int,
        shape: tuple[int, ...],
        device: torch.device,
    ) -> None:
        self.numbers, self.shape, self.device = numbers, shape, device
        self.workers = Workers(read, workers, pin=device.type == "cuda")

    def batches(self, order: Tensor | range, size: int) -> Generator[Tensor, None, None]:
        rows = np.arange(order.start, order.stop) if isinstance(order, range) else order.numpy()
        numbers = self.numbers[rows]
        parts = [numbers[at : at + size] for at in range(0, len(numbers), size)]
        return to_device(self.workers.batches(parts), self.device)

    def to(self, device: torch.device, name: str) -> StreamedExamples:
        del name  # of messages on memory, of which none is needed here
        workers = self.workers
        return StreamedExamples(workers.read, self.numbers, workers.count, self.shape, device)
