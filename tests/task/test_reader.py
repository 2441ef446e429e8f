"""Reading batches of datasets by example numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from nas.errors import NasError
from nas.task.dataset import open_datasets
from nas.task.reader import ImageReader, read_labels

LABELS = [0, 1, 2, 0, 1, 2]


class Images(Dataset[Any]):
    """Six arrays [6, 5, 3] whose values are 10 * number; counts how often one is read."""

    def __init__(self, offset: int = 0, dtype: str = "uint8", **attributes: Any) -> None:
        self.offset, self.dtype, self.read = offset, dtype, 0
        self.__dict__.update(attributes)

    def __len__(self) -> int:
        return len(LABELS)

    def __getitem__(self, i: int) -> Any:
        self.read += 1
        return np.full((6, 5, 3), 10 * i + self.offset, self.dtype), LABELS[i]


def reader(*datasets: Any, layout: str = "auto", labels: Any = LABELS * 2) -> ImageReader:
    train, test = datasets if len(datasets) == 2 else (*datasets, None)
    return ImageReader(open_datasets(train, test, "mine"), layout, np.array(labels))


def test_test_examples_count_on_after_the_training_ones() -> None:
    read = reader(Images(), Images(offset=5))
    x = read(np.array([6, 0, 11, 2]))
    assert x.shape == (4, 3, 6, 5) and x.dtype == torch.uint8 and x.is_contiguous()
    assert x[:, 0, 0, 0].tolist() == [5, 0, 55, 20]
    assert read.shape() == (3, 6, 5)


def test_other_types_become_float32() -> None:
    assert reader(Images(dtype="int16"))(np.array([1])).dtype == torch.float32
    with pytest.raises(NasError, match="mine: training dataset: has NaN or infinite values"):
        reader(Images(dtype="float64", offset=np.nan))(np.array([1]))
    with pytest.raises(NasError, match="unknown layout 'CHW'"):
        reader(Images(), layout="CHW")(np.array([1]))


def test_an_example_unlike_the_first_is_refused() -> None:
    dataset = Images()
    read = reader(dataset)
    dataset.dtype = "float32"
    with pytest.raises(NasError, match=r"example 3 is float32 \(6, 5, 3\); expected uint8"):
        read(np.array([3]))


def test_labels_come_from_targets_without_reading() -> None:
    for targets in (LABELS, np.array(LABELS), torch.tensor(LABELS)):
        train, test = Images(targets=targets), Images(targets=targets)
        labels = read_labels(open_datasets(train, test, "mine"), None, 0, "mine")
        assert labels.all.tolist() == LABELS * 2 and labels.classes == ("0", "1", "2")
        assert train.read == test.read == 1  # what kind of image it is


@pytest.mark.parametrize("workers", [0, 1])
def test_without_targets_everything_is_read(workers: int) -> None:
    for train in (Images(), Images(targets=[9] * 6, target_transform=str)):
        given = open_datasets(train, Images(targets=LABELS), "mine")
        assert read_labels(given, "abc", workers, "mine").all.tolist() == LABELS * 2
    alone = read_labels(open_datasets(Images(), None, "mine"), None, workers, "mine")
    assert alone.y.tolist() == LABELS and alone.y_test is None


def test_wrong_targets_are_told() -> None:
    given = open_datasets(Images(targets=LABELS[:4]), None, "mine")
    with pytest.raises(NasError, match=r"mine: y_train: shape \(4,\); expected .* each of 6"):
        read_labels(given, None, 0, "mine")
    read = reader(Images(), Images(), labels=LABELS[:5] + [0] * 7)
    assert len(read(np.arange(5))) == 5
    with pytest.raises(NasError, match="test dataset: example 1 has label 1, its `targets` say 0"):
        read(np.array([7]))
