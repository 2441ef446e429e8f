"""Checking a user's arrays: types, lengths, labels, and where the channels are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.errors import NasError, unknown
from nas.task.splits import Indices

__all__ = [
    "LAYOUTS",
    "Arrays",
    "Labels",
    "channel_statistics",
    "check_arrays",
    "check_examples",
    "check_labels",
    "gather",
]

Values = NDArray[Any]
LAYOUTS = ("auto", "NCHW", "NHWC")
_MOST_CHANNELS = 4


@dataclass(frozen=True)
class Labels:
    """Checked labels of one problem.

    Args:
        y: Of the training examples, int64 [N].
        y_test: Of the test examples; None where there are none.
        classes: A name for each label 0, 1, ...
    """

    y: Indices
    y_test: Indices | None
    classes: tuple[str, ...]

    @property
    def all(self) -> Indices:
        """Those of the test examples after those of the training examples."""
        return self.y if self.y_test is None else np.concatenate([self.y, self.y_test])


@dataclass(frozen=True)
class Arrays(Labels):
    """Checked arrays of one problem.

    Args:
        x: Training examples, uint8 or float32, [N, C, H, W] or [N, D].
        x_test: The same of the test examples; None where there are none.
    """

    x: Values
    x_test: Values | None


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
    if (x_test is None) != (y_test is None):
        missing, given = ("x_test", "y_test") if x_test is None else ("y_test", "x_test")
        raise NasError(f"{name}: {given} is given without {missing}; expected both or neither")
    images = check_examples(x, layout, f"{name}: x_train")
    tests = None if x_test is None else check_examples(x_test, layout, f"{name}: x_test")
    counts = len(images), None if tests is None else len(tests)
    labels = check_labels(y, y_test, counts, classes, name)
    if tests is not None:
        for what, a, b in (
            ("shape", images.shape[1:], tests.shape[1:]),
            ("type", images.dtype, tests.dtype),
        ):
            if a != b:
                raise NasError(
                    f"{name}: x_test: examples of {what} {b}; expected {a} as in x_train"
                )
    return Arrays(labels.y, labels.y_test, labels.classes, images, tests)


def check_labels(
    y: Any,
    y_test: Any,
    counts: tuple[int, int | None],
    classes: Sequence[str] | None,
    name: str,
) -> Labels:
    """Check labels and name the classes.

    Args:
        y, y_test: Array-likes; `y_test` may be None.
        counts: How many there have to be in each.
        classes: Names of the classes; None counts the labels.
        name: Of the data, for messages.

    Raises:
        NasError: Naming the array and what was expected.
    """
    labels = _labels(y, counts[0], f"{name}: y_train")
    tests = None if counts[1] is None else _labels(y_test, counts[1], f"{name}: y_test")
    return Labels(labels, tests, _classes(labels, tests, classes, name))


def _array(values: Any, what: str) -> Values:
    if hasattr(values, "detach"):  # a torch tensor, perhaps on another device
        values = values.detach().cpu()
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:
        raise NasError(f"{what}: not an array of numbers ({error})") from error


def check_examples(values: Any, layout: str, what: str) -> Values:
    """Return examples as uint8 or float32, [N, C, H, W] or [N, D], without a copy if they are.

    Raises:
        NasError: For another type or shape, no examples, or numbers that are not finite.
    """
    if layout not in LAYOUTS:
        raise unknown("layout", layout, LAYOUTS)
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


def gather(arrays: Arrays, order: Indices) -> Values:
    """Copy examples in a given order, test examples counted on after the training ones.

    Returns:
        [n, C, H, W] or [n, D], contiguous.
    """
    x = np.empty((len(order), *arrays.x.shape[1:]), arrays.x.dtype)
    own = order < len(arrays.y)
    x[own] = arrays.x[order[own]]
    if arrays.x_test is not None:
        x[~own] = arrays.x_test[order[~own] - len(arrays.y)]
    return x


def channel_statistics(
    chunks: Iterable[Values],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and standard deviation of each channel [N, C, H, W] or feature [N, D].

    Two passes in float64 over each chunk, and chunks joined by the formulas of Chan, Golub &
    LeVeque ("Updating formulae and a pairwise algorithm for computing sample variances", 1979):
    neither size nor offset costs accuracy, and no chunk is needed twice. What is constant (to
    float32's precision) gets a deviation of 1: it becomes 0, not noise.

    Args:
        chunks: Examples, at least one chunk.

    Returns:
        Two float32 arrays, [C] or [D], in the units of the examples.
    """
    count, mean, squares = 0, np.float64(0), np.float64(0)
    for x in chunks:
        axes = (0, *range(2, x.ndim))
        added = x.size // x.shape[1]
        own = x.sum(axes, dtype=np.float64) / added
        centred = x - own.reshape((-1,) + (1,) * (x.ndim - 2))
        count, before = count + added, count
        shift = own - mean
        mean = mean + shift * (added / count)
        squares = squares + np.square(centred).sum(axes) + shift**2 * (before * added / count)
    deviation = np.sqrt(squares / count)
    constant = deviation <= 1e-6 * np.abs(mean)
    return np.float32(mean), np.where(constant, 1, deviation).astype(np.float32)
