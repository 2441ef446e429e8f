"""Reading torch datasets of (image, label) into arrays."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.data.device import check_memory, find_device
from nas.data.splits import Indices
from nas.errors import NasError

__all__ = ["Read", "read_datasets"]

Values = NDArray[Any]


@dataclass(frozen=True)
class Read:
    """What datasets hold.

    Args:
        arrays: Training examples and labels, then test examples and labels or None twice.
        layout: How the arrays hold channels, as for `Task.from_arrays`.
        classes: Names of the classes, where the dataset says them.
    """

    arrays: tuple[Values, Indices, Values | None, Indices | None]
    layout: str
    classes: tuple[str, ...] | None


def read_datasets(train: Any, test: Any, name: str) -> Read:
    """Load a training and perhaps a test dataset; see `Task.from_dataset`.

    Raises:
        NasError: When a dataset has no length, or an example is not like the first one.
    """
    x, y, layout = _read(train, f"{name}: training dataset")
    classes = getattr(train, "classes", None)
    names = tuple(map(str, classes)) if isinstance(classes, (list, tuple)) else None
    if test is None:
        return Read((x, y, None, None), layout, names)
    x_test, y_test, test_layout = _read(test, f"{name}: test dataset")
    if test_layout != layout:
        raise NasError(
            f"{name}: the test dataset gives another kind of image than the training dataset; "
            "expected tensors, arrays or PIL images in both"
        )
    return Read((x, y, x_test, y_test), layout, names)


def _read(dataset: Any, what: str) -> tuple[Values, Indices, str]:
    try:
        count = len(dataset)
    except TypeError as error:
        raise NasError(f"{what}: has no length; expected a map-style torch Dataset") from error
    if not count:
        raise NasError(f"{what}: is empty")
    first, _, layout = _example(dataset, 0, what)
    check_memory(what, count * first.nbytes, find_device("cpu"))
    x = np.empty((count, *first.shape), first.dtype)
    y = np.empty(count, np.int64)
    for i in range(count):
        image, y[i], _ = _example(dataset, i, what)
        if image.shape != first.shape or image.dtype != first.dtype:
            raise NasError(
                f"{what}: example {i} is {image.dtype} {image.shape}; expected "
                f"{first.dtype} {first.shape} as example 0"
            )
        x[i] = image
    return x, y, layout


def _example(dataset: Any, i: int, what: str) -> tuple[Values, int, str]:
    try:
        image, label = dataset[i]
        number = operator.index(label)
    except (TypeError, ValueError) as error:
        raise NasError(
            f"{what}: example {i}: {error}; expected a pair (image, whole number)"
        ) from error
    array, layout = _image(image)
    if array.dtype.kind not in "buif":
        raise NasError(f"{what}: example {i} is a {type(image).__name__}; expected an image")
    return array, number, layout


def _image(image: Any) -> tuple[Values, str]:
    """Return an image as an array, and the layout of a batch of such arrays."""
    if hasattr(image, "detach"):  # a torch tensor
        return image.detach().cpu().numpy(), "NCHW"
    if not hasattr(image, "getbands"):
        return np.asarray(image), "auto"
    if image.mode in ("1", "LA", "La"):
        image = image.convert("L")
    elif image.mode not in ("L", "RGB", "F") and not image.mode.startswith("I"):
        image = image.convert("RGB")
    return np.asarray(image), "NHWC"
