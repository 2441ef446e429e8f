"""The protocol buffer in which NAS-Bench-101 stores what was measured of a network.

    ModelMetrics:   1 evaluation_data (repeated), 2 trainable_parameters (int32), 3 total_time
    EvaluationData: 1 current_epoch, 2 training_time, 3 train_accuracy, 4 validation_accuracy,
                    5 test_accuracy (all double), 6 checkpoint_path

Source: nasbench/lib/model_metrics.proto of google-research/nasbench.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = ["Evaluation", "read_model_metrics"]

Evaluation = tuple[float, float, float, float, float]
"""Epoch, seconds of training, accuracy on train, valid and test images."""

_VARINT, _DOUBLE, _BYTES, _SINGLE = 0, 1, 2, 5
_USUAL = struct.Struct("<" + 3 * ("2s" + 5 * "cd"))
_USUAL_KEYS = 3 * (b"\x0a\x2d", b"\x09", b"\x11", b"\x19", b"\x21", b"\x29")


def read_model_metrics(data: bytes) -> tuple[int, list[Evaluation]]:
    """Read one `ModelMetrics`.

    Args:
        data: Its serialised form.

    Returns:
        The number of trainable parameters, and the evaluations: at the start of training, half
        way, and at the end. What is not in a message is NaN (parameters: 0).

    Raises:
        ValueError: If it is not a message of this type.
    """
    # nearly all messages have three evaluations with all five numbers in their order
    if len(data) >= _USUAL.size:
        v = _USUAL.unpack_from(data)
        if (v[0], *v[1:11:2], v[11], *v[12:22:2], v[22], *v[23:33:2]) == _USUAL_KEYS:
            usual = [v[2:11:2], v[13:22:2], v[24:33:2]]
            params, more = _read(data[_USUAL.size :])
            return params, usual + more
    return _read(data)


def _read(data: bytes) -> tuple[int, list[Evaluation]]:
    params, evaluations = 0, []
    for number, value in _fields(data):
        if number == 1 and isinstance(value, bytes):
            evaluations.append(_evaluation(value))
        elif number == 2 and isinstance(value, int):
            params = value
    return params, evaluations


def _evaluation(data: bytes) -> Evaluation:
    found = {
        number: struct.unpack("<d", value)[0]
        for number, value in _fields(data)
        if 1 <= number <= 5 and isinstance(value, bytes) and len(value) == 8
    }
    epoch, seconds, train, valid, test = (found.get(n, float("nan")) for n in range(1, 6))
    return epoch, seconds, train, valid, test


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the number and the value of every field: an integer, or bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == _BYTES:
            length, at = _varint(data, at)
        elif kind in (_DOUBLE, _SINGLE):
            length = 8 if kind == _DOUBLE else 4
        else:
            raise ValueError(f"field {number} has the unknown type {kind}")
        if at + length > len(data):
            raise ValueError("it is truncated")
        yield number, data[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        if at >= len(data):
            raise ValueError("it is truncated")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number has more than 64 bits")
