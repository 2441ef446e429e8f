"""NAS-Bench-101's protocol buffer."""

from __future__ import annotations

import math
import struct

import pytest
from official_files import metrics

from nas.benchmarks.model_metrics import read_model_metrics

EVALUATIONS = [(0.0, 1.5, 0.1, 0.2, 0.3), (54.0, 2.5, 0.4, 0.5, 0.6), (108.0, 3.5, 0.7, 0.8, 0.9)]


@pytest.mark.parametrize("params", [0, 1, 127, 128, 32_426_634])
@pytest.mark.parametrize("checkpoint", [b"", b"model.ckpt-1"])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_numbers_come_back(params: int, checkpoint: bytes, count: int) -> None:
    evaluations = [*EVALUATIONS, EVALUATIONS[0]][:count]
    message = metrics(params, evaluations, checkpoint)
    assert read_model_metrics(message) == (params, evaluations)


def test_fields_may_come_in_any_order_and_may_be_absent() -> None:
    evaluation = b"\x29" + struct.pack("<d", 0.9) + b"\x09" + struct.pack("<d", 4.0)
    message = b"\x10\x05" + b"\x3d\0\0\0\0" + b"\x0a" + bytes([len(evaluation)]) + evaluation
    params, [found] = read_model_metrics(message)
    assert params == 5
    assert (found[0], found[4]) == (4.0, 0.9)
    assert all(math.isnan(number) for number in found[1:4])


def test_truncated_messages_are_refused() -> None:
    message = metrics(300, EVALUATIONS)
    whole = {0, 47, 94, 141, 144}  # where a field ends
    for size in range(len(message)):
        if size in whole:
            assert read_model_metrics(message[:size])[1] == EVALUATIONS[: size // 47]
        else:
            with pytest.raises(ValueError, match="truncated"):
                read_model_metrics(message[:size])


@pytest.mark.parametrize("message", [b"\x0b", b"\xff" * 12, b"\x0a\xff\xff\xff\xff\x0f"])
def test_foreign_messages_are_refused(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"type|bits|truncated"):
        read_model_metrics(message)
