"""Reading batches of torch datasets by example numbers, in whichever process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.errors import NasError
from nas.task.arrays import Labels, check_examples, check_labels
from nas.task.dataset import Datasets, Opened
from nas.task.splits import Indices

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ImageReader", "read_labels"]

_LABELS_AT_ONCE = 64


def _find(given: Datasets, number: int) -> tuple[Opened, int]:
    """Return which dataset an example is in, and where; test ones count on after training ones."""
    first = len(given.train)
    if given.test is None or number < first:
        return given.train, number
    return given.test, number - first


@dataclass(frozen=True)
class ImageReader:
    """Reads images of datasets whose labels are known.

    Args:
        given: The datasets.
        layout: How batches of their images hold channels, as for `Task.from_arrays`.
        labels: Of all examples: what the datasets say has to agree.
    """

    given: Datasets
    layout: str
    labels: Indices

    def __call__(self, numbers: Indices) -> Tensor:
        """Return images as the task keeps them: uint8 or float32, [B, C, H, W] or [B, D].

        Args:
            numbers: Of the examples; test examples count on after the training ones.

        Raises:
            NasError: Naming the example, or the file, that cannot be read or is not as expected.
        """
        import torch

        images = np.stack([self._image(int(number)) for number in numbers])
        x = check_examples(images, self.layout, self.given.train.what)
        return torch.from_numpy(np.ascontiguousarray(x))

    def shape(self) -> tuple[int, ...]:
        """Read the first example and return its shape: (C, H, W) or (D,)."""
        return tuple(self(np.zeros(1, np.int64)).shape[1:])

    def _image(self, number: int) -> Any:
        opened, i = _find(self.given, number)
        image, label = opened.example(i)
        if label != self.labels[number]:
            raise NasError(
                f"{opened.what}: example {i} has label {label}, its `targets` say "
                f"{self.labels[number]}; expected the same"
            )
        return image


@dataclass(frozen=True)
class _LabelReader:
    given: Datasets

    def __call__(self, numbers: Indices) -> Tensor:
        import torch

        found = [_find(self.given, int(number)) for number in numbers]
        return torch.tensor([opened.example(i)[1] for opened, i in found])


def read_labels(given: Datasets, classes: Sequence[str] | None, workers: int, name: str) -> Labels:
    """Return the labels of datasets, from their `targets` where both have them.

    Without `targets`, or with a `target_transform`, every example is read once.

    Args:
        given: The datasets.
        classes: Names of the classes; None counts the labels.
        workers: Processes that read; 0 reads in this one.
        name: Of the data, for messages.

    Raises:
        NasError: For labels that are not 0, 1, ..., or examples that cannot be read.
    """
    train, test = given.train, given.test
    counts = len(train), None if test is None else len(test)
    y, y_test = _targets(train), None if test is None else _targets(test)
    if y is None or (test is not None and y_test is None):
        everything = _read_all(given, len(train) + (counts[1] or 0), workers)
        y, y_test = everything[: len(train)], everything[len(train) :]
    return check_labels(y, None if test is None else y_test, counts, classes, name)


def _targets(opened: Opened) -> Any:
    if getattr(opened.dataset, "target_transform", None) is not None:
        return None
    return getattr(opened.dataset, "targets", None)


def _read_all(given: Datasets, count: int, workers: int) -> Indices:
    import torch

    from nas.task.examples.workers import Workers

    numbers = np.arange(count, dtype=np.int64)
    parts = np.split(numbers, range(_LABELS_AT_ONCE, count, _LABELS_AT_ONCE))
    found = list(Workers(_LabelReader(given), workers).batches(parts))
    return np.asarray(torch.cat(found))
