"""Checking a user's arrays: types, lengths, labels, and where the channels are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.data.splits import Indices
from nas.errors import NasError, unknown

__all__ = ["LAYOUTS", "Arrays", "channel_statistics", "check_arrays", "gather"]

Values = NDArray[Any]
LAYOUTS = ("auto", "NCHW", "NHWC")
_MOST_CHANNELS = 4
_CHUNK = 8192


@dataclass(frozen=True)
class Arrays:
    """Checked arrays of one problem.

    Args:
        x: Training examples, uint8 or float32, [N, C, H, W] or [N, D].
        y: Their labels, int64 [N].
        x_test, y_test: The same of the test examples; None where there are none.
        classes: A name for each label 0, 1, ...
    """

    x: Values
    y: Indices
    x_test: Values | None
    y_test: Indices | None
    classes: tuple[str, ...]


def check_arrays(
    x: Any,
    y: Any,
    x_test: Any,
    y_test: Any,
    *,
    classes: Sequence[str] | None,
    layout: str,
    name: str,
) -> Arrays:
    """Check arrays and bring them to one form, without changing what the user holds.

    Args:
        x, y, x_test, y_test: Array-likes (NumPy, torch, nested lists); test ones may be None.
        classes: Names of the classes; None counts the labels.
        layout: One of `LAYOUTS`; see `_channels_first`.
        name: Of the data, for messages.

    Raises:
        NasError: Naming the array and what was expected.
    """
    if layout not in LAYOUTS:
        raise unknown("layout", layout, LAYOUTS)
    if (x_test is None) != (y_test is None):
        missing, given = ("x_test", "y_test") if x_test is None else ("y_test", "x_test")
        raise NasError(f"{name}: {given} is given without {missing}; expected both or neither")
    images = _examples(x, layout, f"{name}: x_train")
    labels = _labels(y, len(images), f"{name}: y_train")
    if x_test is None:
        return Arrays(images, labels, None, None, _classes(labels, None, classes, name))
    test_images = _examples(x_test, layout, f"{name}: x_test")
    test_labels = _labels(y_test, len(test_images), f"{name}: y_test")
    for what, a, b in (
        ("shape", images.shape[1:], test_images.shape[1:]),
        ("type", images.dtype, test_images.dtype),
    ):
        if a != b:
            raise NasError(f"{name}: x_test: examples of {what} {b}; expected {a} as in x_train")
    names = _classes(labels, test_labels, classes, name)
    return Arrays(images, labels, test_images, test_labels, names)


def _array(values: Any, what: str) -> Values:
    if hasattr(values, "detach"):  # a torch tensor, perhaps on another device
        values = values.detach().cpu()
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:
        raise NasError(f"{what}: not an array of numbers ({error})") from error


def _examples(values: Any, layout: str, what: str) -> Values:
    array = _array(values, what)
    if array.dtype.kind not in "buif":
        raise NasError(f"{what}: type {array.dtype}; expected uint8 or floating-point numbers")
    if array.ndim not in (2, 3, 4) or 0 in array.shape:
        raise NasError(
            f"{what}: shape {array.shape}; expected [N, D], [N, H, W], [N, H, W, C] or "
            "[N, C, H, W] with no axis empty"
        )
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4:
        array = _channels_first(array, layout, what)
    if array.dtype == np.uint8 and array.ndim == 4:
        return array
    with np.errstate(over="ignore"):
        array = array.astype(np.float32, copy=False)
    if not np.isfinite(array).all():
        raise NasError(f"{what}: has NaN or infinite values; expected finite float32 numbers")
    return array


def _channels_first(array: Values, layout: str, what: str) -> Values:
    """View images as [N, C, H, W].

    The rule for `auto`: where exactly one of axes 1 and 3 has at most 4 entries, it holds the
    channels. Otherwise the images must be square, and equal axes are height and width
    ([N, C, H, W] if both readings fit). Anything else needs `layout`.
    """
    _, first, middle, last = array.shape
    if layout == "auto":
        if (first <= _MOST_CHANNELS) != (last <= _MOST_CHANNELS):
            layout = "NCHW" if first <= _MOST_CHANNELS else "NHWC"
        elif middle == last:
            layout = "NCHW"
        elif first == middle:
            layout = "NHWC"
        else:
            raise NasError(
                f"{what}: shape {array.shape} does not show where the channels are; "
                "set layout to NCHW or NHWC"
            )
    return array if layout == "NCHW" else np.moveaxis(array, 3, 1)


def _labels(values: Any, count: int, what: str) -> Indices:
    labels = _array(values, what)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.dtype.kind not in "ui":
        raise NasError(f"{what}: labels of type {labels.dtype}; expected integers 0, 1, ...")
    if labels.shape != (count,):
        raise NasError(f"{what}: shape {labels.shape}; expected one label for each of {count}")
    labels = labels.astype(np.int64)
    if labels.min() < 0:
        raise NasError(f"{what}: has label {labels.min()}; expected integers 0, 1, ...")
    return labels


def _classes(
    labels: Indices, test_labels: Indices | None, classes: Sequence[str] | None, name: str
) -> tuple[str, ...]:
    """Return the classes' names; without any given, every label up to the largest must occur."""
    present = np.unique(labels)
    if classes is None:
        absent = np.setdiff1d(np.arange(min(present[-1] + 1, len(labels) + 1)), present)
        if len(absent):
            raise NasError(
                f"{name}: y_train: labels go up to {present[-1]} but none is {absent[0]}; "
                "expected each of 0, 1, ... (or give the names of all classes)"
            )
        classes = [str(label) for label in present]
    if len(classes) < 2:
        raise NasError(f"{name}: {len(classes)} class; expected at least 2")
    largest = max(int(part.max()) for part in (labels, test_labels) if part is not None)
    if largest >= len(classes):
        raise NasError(f"{name}: label {largest}; expected 0 to {len(classes) - 1}")
    return tuple(str(label) for label in classes)


def gather(arrays: Arrays, order: Indices) -> tuple[Values, Indices]:
    """Copy examples in a given order, test examples counted on after the training ones.

    Returns:
        Examples (contiguous, [n, C, H, W] or [n, D]) and labels [n].
    """
    x = np.empty((len(order), *arrays.x.shape[1:]), arrays.x.dtype)
    y = np.empty(len(order), np.int64)
    own = order < len(arrays.y)
    x[own], y[own] = arrays.x[order[own]], arrays.y[order[own]]
    if arrays.x_test is not None and arrays.y_test is not None:
        rest = order[~own] - len(arrays.y)
        x[~own], y[~own] = arrays.x_test[rest], arrays.y_test[rest]
    return x, y


def channel_statistics(x: Values) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and standard deviation of each channel [N, C, H, W] or feature [N, D].

    Two passes in float64 over chunks, so that neither size nor offset costs accuracy. What is
    constant (to float32's precision) gets a deviation of 1: it becomes 0, not noise.

    Returns:
        Two float32 arrays, [C] or [D], in the units of `x`.
    """
    axes = (0, *range(2, x.ndim))
    count = x.size / x.shape[1]
    chunks = [x[i : i + _CHUNK] for i in range(0, len(x), _CHUNK)]
    mean = sum(chunk.sum(axes, dtype=np.float64) for chunk in chunks) / count
    centre = np.reshape(mean, (-1,) + (1,) * (x.ndim - 2))
    variance = sum(np.square(chunk - centre).sum(axes) for chunk in chunks) / count
    deviation = np.sqrt(variance)
    constant = deviation <= 1e-6 * np.abs(mean)
    return np.float32(mean), np.where(constant, 1, deviation).astype(np.float32)
