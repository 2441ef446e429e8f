"""Copying batches ahead of their use."""

from __future__ import annotations

from collections.abc import Generator

import pytest
import torch
from torch import Tensor

from nas.task.examples.prefetch import to_device

CPU = torch.device("cpu")


def source(count: int, log: list[object]) -> Generator[Tensor, None, None]:
    """Batches 0, 1, ...; `log` gets each that is asked for, and "closed" at the end."""
    try:
        for i in range(count):
            log.append(i)
            yield torch.full((2, 3), i)
    finally:
        log.append("closed")


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7])
def test_all_batches_come_in_their_order(count: int) -> None:
    log: list[object] = []
    found = [int(batch[0, 0]) for batch in to_device(source(count, log), CPU)]
    assert found == list(range(count)) and log == [*range(count), "closed"]


def test_two_batches_are_read_ahead() -> None:
    log: list[object] = []
    batches = to_device(source(9, log), CPU)
    assert log == []
    next(batches)
    assert log == [0, 1, 2]
    next(batches)
    assert log == [0, 1, 2, 3]


def test_closing_closes_the_source() -> None:
    log: list[object] = []
    host = source(9, log)
    batches = to_device(host, CPU)
    next(batches)
    batches.close()
    assert log == [0, 1, 2, "closed"]


def test_batches_come_out_on_the_device() -> None:
    found = list(to_device(source(3, []), torch.device("meta")))
    assert [batch.device.type for batch in found] == ["meta"] * 3
    assert [batch.shape for batch in found] == [(2, 3)] * 3


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_copies_to_a_gpu_arrive_whole_before_they_are_used() -> None:
    device = torch.device("cuda", 0)
    host = [torch.randint(0, 256, (64, 3, 64, 64), dtype=torch.uint8) for _ in range(20)]
    # Each is reduced at once, and its memory given back, while later copies are under way.
    sums = [batch.long().sum() for batch in to_device((one for one in host), device)]
    assert [int(found) for found in sums] == [int(one.long().sum()) for one in host]
