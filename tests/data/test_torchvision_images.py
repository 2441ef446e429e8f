"""CIFAR and the MNIST family, on files and classes of the tests' own making."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torchvision

from nas.data import load_task
from nas.errors import NasError
from nas.task.augment import Augmentation


def write_mnist(folder: Path, n_train: int = 60, n_test: int = 20) -> None:
    """Write the IDX files of MNIST with random pixels and the labels 0 to 9 in turn."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for part, count in (("train", n_train), ("t10k", n_test)):
        pixels = rng.integers(0, 256, (count, 28, 28), np.uint8).tobytes()
        header = struct.pack(">IIII", 2051, count, 28, 28)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(header + pixels)
        labels = bytes(i % 10 for i in range(count))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 2049, count) + labels)


@pytest.mark.parametrize(
    ("name", "folder", "flip"),
    [("mnist", "MNIST/raw", False), ("fashion-mnist", "FashionMNIST/raw", True)],
)
def test_mnist_family(tmp_path: Path, name: str, folder: str, flip: bool) -> None:
    write_mnist(tmp_path / folder)
    task = load_task(name, root=str(tmp_path))
    assert (task.input_shape, task.outputs, task.scale) == ((1, 28, 28), 10, "small")
    assert [task.size(s) for s in ("train", "valid", "test")] == [30, 30, 20]
    assert task.augmentation == Augmentation(crop_padding=2, flip=flip)
    assert str(task.x.dtype) == "torch.uint8"


class FakeCifar:
    """What the tasks use of torchvision's classes."""

    def __init__(self, root: str, train: bool, download: bool) -> None:
        assert not download
        self.data = np.full((40 if train else 20, 32, 32, 3), 7 if train else 9, np.uint8)
        self.targets = [0, 1] * (len(self.data) // 2)
        self.classes = ["cat", "dog"]


@pytest.mark.parametrize(("name", "attribute"), [("cifar10", "CIFAR10"), ("cifar100", "CIFAR100")])
def test_cifar(monkeypatch: pytest.MonkeyPatch, name: str, attribute: str) -> None:
    monkeypatch.setattr(torchvision.datasets, attribute, FakeCifar)
    task = load_task(name)
    assert (task.input_shape, task.scale, task.classes) == ((3, 32, 32), "paper", ("cat", "dog"))
    assert task.augmentation == Augmentation(crop_padding=4, flip=True)
    assert task.size("test") == 20
    assert task.x[-20:].unique().tolist() == [9] and task.x[:40].unique().tolist() == [7]


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "mnist", "fashion-mnist"])
def test_missing_data_is_not_downloaded(tmp_path: Path, name: str) -> None:
    root = tmp_path / "data"
    with pytest.raises(NasError, match=f"(?s)data '{name}' is missing.*--download.*{root}"):
        load_task(name, root=str(root))
    assert not root.exists()


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path / "MNIST/raw")
    images = tmp_path / "MNIST/raw/train-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:1000])
    with pytest.raises(NasError, match="data 'mnist' is missing or broken"):
        load_task("mnist", root=str(tmp_path))


def test_download_is_passed_on_and_its_failure_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = []

    def fetch(root: str, train: bool, download: bool) -> Any:
        asked.append(download)
        raise OSError("no route\nto host")

    monkeypatch.setattr(torchvision.datasets, "MNIST", fetch)
    with pytest.raises(NasError, match="no route") as caught:
        load_task("mnist", download=True, root=str(tmp_path))
    assert asked == [True] and "\n" not in str(caught.value)


def test_without_torchvision_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(NasError, match="pip install torchvision"):
        load_task("cifar10")
