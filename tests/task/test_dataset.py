"""Reading torch datasets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, TensorDataset

from nas.errors import NasError
from nas.task.dataset import open_datasets


class Examples(Dataset[Any]):
    """A list as a dataset."""

    def __init__(self, examples: list[Any], classes: Any = None) -> None:
        self.examples = examples
        self.classes = classes

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, i: int) -> Any:
        return self.examples[i]


class Stream(IterableDataset[Any]):
    """A dataset without length."""

    def __iter__(self) -> Iterator[Any]:
        return iter([])


def picture(mode: str = "RGB", size: tuple[int, int] = (4, 3)) -> Any:
    return Image.new(mode, size)


def test_tensors_are_channels_first() -> None:
    x = torch.rand(5, 3, 4, 6)
    given = open_datasets(TensorDataset(x, torch.arange(5)), None, "data")
    images, labels, x_test, y_test = given.load()
    assert np.array_equal(images, x.numpy()) and labels.tolist() == [0, 1, 2, 3, 4]
    assert x_test is None and y_test is None
    assert given.layout == "NCHW" and given.classes is None


@pytest.mark.parametrize(
    ("mode", "shape"),
    [("RGB", (3, 4, 3)), ("L", (3, 4)), ("1", (3, 4)), ("P", (3, 4, 3)), ("RGBA", (3, 4, 3))],
)
def test_pictures(mode: str, shape: tuple[int, ...]) -> None:
    dataset = Examples([(picture(mode), 0), (picture(mode), 1)], classes=["cat", "dog"])
    given = open_datasets(dataset, dataset, "data")
    x, _, x_test, _ = given.load()
    for images in (x, x_test):
        assert images is not None and images.shape == (2, *shape) and images.dtype == np.uint8
    assert given.layout == "NHWC" and given.classes == ("cat", "dog")


def test_arrays_leave_the_layout_open() -> None:
    dataset = Examples([(np.zeros((4, 4, 3), np.uint8), np.int64(1)), (np.zeros((4, 4, 3)), 0)][:1])
    assert open_datasets(dataset, None, "data").layout == "auto"


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (Stream(), "has no length"),
        (Examples([]), "is empty"),
        (Examples([(picture(), 0), (picture(size=(5, 5)), 0)]), "example 1 is uint8"),
        (Examples([(torch.zeros(4), 0), (torch.zeros(4).int(), 0)]), "example 1 is int32"),
        (Examples([(picture(), 0.5)]), r"example 0: .* expected a pair \(image, whole number\)"),
        (Examples([picture()]), "expected a pair"),
        (Examples([("text", 0)]), "example 0 is a str; expected an image"),
    ],
)
def test_wrong_datasets_are_refused(dataset: Any, message: str) -> None:
    with pytest.raises(NasError, match=f"data: training dataset: .*{message}"):
        open_datasets(dataset, None, "data").load()


def test_two_kinds_of_image_are_refused() -> None:
    tensors, pictures = Examples([(torch.zeros(3, 3, 4), 0)]), Examples([(picture(), 0)])
    with pytest.raises(NasError, match="another kind of image"):
        open_datasets(tensors, pictures, "data")


class Broken(Examples):
    """A dataset as torchvision's folders are, whose second image cannot be read."""

    samples = (("images/a.png", 0), ("images/b.png", 0))

    def __getitem__(self, i: int) -> Any:
        if i == 1:
            raise OSError("image file is truncated\n(5 bytes left)")
        return super().__getitem__(i)


def test_what_a_dataset_raises_becomes_one_line_with_the_file() -> None:
    given = open_datasets(Broken([(picture(), 0)] * 2), None, "data")
    message = "example 1, file images/b.png, cannot be read .OSError: image file is truncated.$"
    with pytest.raises(NasError, match=message):
        given.load()


def test_memory_is_checked_before_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.task.device.memory_size", lambda _: 1000)
    dataset = Examples([(torch.zeros(60), 0)] * 2)
    assert open_datasets(dataset, None, "data").fits()
    assert not open_datasets(dataset, dataset, "data").fits()
    with pytest.raises(NasError, match="more than half"):
        open_datasets(Examples([(torch.zeros(100), 0)] * 2), None, "data").load()
