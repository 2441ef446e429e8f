"""Reading torch datasets of (image, label)."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.errors import NasError
from nas.task.device import check_memory, find_device, fits
from nas.task.splits import Indices

__all__ = ["Datasets", "Opened", "open_datasets"]

Values = NDArray[Any]


@dataclass(frozen=True)
class Opened:
    """A dataset whose first example is known: all others have to be like it.

    Args:
        dataset: With `len` and indexing.
        what: It is, for messages.
        shape, type: Of an image as an array.
        layout: How a batch of such arrays holds channels, as for `Task.from_arrays`.
    """

    dataset: Any
    what: str
    shape: tuple[int, ...]
    type: np.dtype[Any]
    layout: str

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    def nbytes(self) -> int:
        """Of all images."""
        return len(self) * int(np.prod(self.shape, dtype=np.int64)) * self.type.itemsize

    def example(self, i: int) -> tuple[Values, int]:
        """Read one image and its label.

        Raises:
            NasError: When it cannot be read or is not like the first.
        """
        image, label, _ = _example(self.dataset, i, self.what)
        if image.shape != self.shape or image.dtype != self.type:
            raise NasError(
                f"{self.what}: example {i} is {image.dtype} {image.shape}; expected "
                f"{self.type} {self.shape} as example 0"
            )
        return image, label

    def load(self) -> tuple[Values, Indices]:
        """Read everything; raises `NasError` as `example` does, or for too little memory."""
        check_memory(self.what, self.nbytes, find_device("cpu"))
        x = np.empty((len(self), *self.shape), self.type)
        y = np.empty(len(self), np.int64)
        for i in range(len(self)):
            x[i], y[i] = self.example(i)
        return x, y


@dataclass(frozen=True)
class Datasets:
    """A training and perhaps a test dataset of one problem, with images of the same kind."""

    train: Opened
    test: Opened | None

    @property
    def layout(self) -> str:
        """How batches of images hold channels."""
        return self.train.layout

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes, where the dataset says them."""
        classes = getattr(self.train.dataset, "classes", None)
        return tuple(map(str, classes)) if isinstance(classes, (list, tuple)) else None

    def fits(self) -> bool:
        """Tell whether all images take at most half of the host's memory."""
        size = self.train.nbytes + (self.test.nbytes if self.test else 0)
        return fits(size, find_device("cpu"))

    def load(self) -> tuple[Values, Indices, Values | None, Indices | None]:
        """Read everything: training images and labels, then test ones or None twice."""
        x, y = self.train.load()
        return (x, y, *(self.test.load() if self.test else (None, None)))


def open_datasets(train: Any, test: Any, name: str) -> Datasets:
    """Read the first examples of a training and perhaps a test dataset.

    Raises:
        NasError: When a dataset has no length or no examples, or what it has is no example.
    """
    first = _open(train, f"{name}: training dataset")
    second = None if test is None else _open(test, f"{name}: test dataset")
    if second is not None and second.layout != first.layout:
        raise NasError(
            f"{name}: the test dataset gives another kind of image than the training dataset; "
            "expected tensors, arrays or PIL images in both"
        )
    return Datasets(first, second)


def _open(dataset: Any, what: str) -> Opened:
    try:
        count = len(dataset)
    except TypeError as error:
        raise NasError(f"{what}: has no length; expected a map-style torch Dataset") from error
    if not count:
        raise NasError(f"{what}: is empty")
    image, _, layout = _example(dataset, 0, what)
    return Opened(dataset, what, image.shape, image.dtype, layout)


def _example(dataset: Any, i: int, what: str) -> tuple[Values, int, str]:
    try:
        pair = dataset[i]
    except NasError:
        raise
    except Exception as error:  # whatever the dataset, or what decodes its images, comes up with
        reason = (str(error).strip() or "no reason given").splitlines()[0]
        where = f"example {i}{_file(dataset, i)}"
        raise NasError(
            f"{what}: {where} cannot be read ({type(error).__name__}: {reason})"
        ) from error
    try:
        image, label = pair
        number = operator.index(label)
    except (TypeError, ValueError) as error:
        raise NasError(
            f"{what}: example {i}: {error}; expected a pair (image, whole number)"
        ) from error
    array, layout = _image(image)
    if array.dtype.kind not in "buif":
        raise NasError(f"{what}: example {i} is a {type(image).__name__}; expected an image")
    return array, number, layout


def _file(dataset: Any, i: int) -> str:
    """Name the file of an example where the dataset lists them, as torchvision's folders do."""
    try:
        return f", file {dataset.samples[i][0]},"
    except (AttributeError, IndexError, KeyError, TypeError):
        return ""


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
