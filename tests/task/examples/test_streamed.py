"""Examples that are read while training."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nas.task.examples.streamed import StreamedExamples

X = torch.arange(30, dtype=torch.uint8).view(15, 2)
NUMBERS = np.array([4, 14, 0, 7, 9, 1], np.int64)


def read(numbers: Any) -> Tensor:
    return X[numbers]


def streamed(workers: int = 0, device: str = "cpu") -> StreamedExamples:
    return StreamedExamples(read, NUMBERS, workers, (2,), torch.device(device))


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("order", [range(1, 6), torch.tensor([5, 0, 2, 2, 4])])
def test_rows_are_read_by_their_numbers(order: Tensor | range, workers: int) -> None:
    found = list(streamed(workers).batches(order, 2))
    assert torch.equal(torch.cat(found), X[NUMBERS[list(order)]])
    assert [len(batch) for batch in found] == [2, 2, 1]


def test_another_device_and_another_process() -> None:
    moved = streamed(workers=3).to(torch.device("meta"), "mine")
    assert (moved.workers.count, moved.shape, moved.workers.read) == (3, (2,), read)
    [batch] = streamed(device="meta").batches(range(6), 9)
    assert batch.device.type == "meta" and batch.shape == (6, 2)
    again = pickle.loads(pickle.dumps(streamed()))
    assert torch.equal(next(again.batches(range(3), 3)), X[NUMBERS[:3]])
