"""CIFAR and the MNIST family, through torchvision; downloaded only when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nas.data.source import Request, data_source
from nas.errors import NasError
from nas.task import Augmentation

if TYPE_CHECKING:
    from nas.task import Task

_FOLDERS = {
    "CIFAR10": "cifar-10-batches-py",
    "CIFAR100": "cifar-100-python",
    "MNIST": "MNIST/raw",
    "FashionMNIST": "FashionMNIST/raw",
}
"""Class of torchvision -> the folder that it looks for in its root."""


@data_source("cifar10", "CIFAR-10, 32x32 colour images, 10 classes (torchvision)")
def cifar10(request: Request) -> Task:
    """Load CIFAR-10, with the paper's augmentation: crop of 4 pixels and flip."""
    return _task(request, "CIFAR10", Augmentation(crop_padding=4, flip=True), scale="paper")


@data_source("cifar100", "CIFAR-100, 32x32 colour images, 100 classes (torchvision)")
def cifar100(request: Request) -> Task:
    """Load CIFAR-100, with the paper's augmentation: crop of 4 pixels and flip."""
    return _task(request, "CIFAR100", Augmentation(crop_padding=4, flip=True), scale="paper")


@data_source("mnist", "MNIST handwritten digits, 28x28, 1 channel, 10 classes (torchvision)")
def mnist(request: Request) -> Task:
    """Load MNIST; a mirrored digit is no digit, so there is no flip."""
    return _task(request, "MNIST", Augmentation(crop_padding=2), scale="small")


@data_source("fashion-mnist", "Fashion-MNIST clothing, 28x28, 1 channel, 10 classes (torchvision)")
def fashion_mnist(request: Request) -> Task:
    """Load Fashion-MNIST."""
    return _task(request, "FashionMNIST", Augmentation(crop_padding=2, flip=True), scale="small")


def _task(request: Request, dataset: str, augmentation: Augmentation, scale: str) -> Task:
    """Make the task of one of torchvision's classes that hold `data`, `targets`, `classes`."""
    train, test = _open(request, dataset, train=True), _open(request, dataset, train=False)
    return request.task(
        train.data,
        train.targets,
        test.data,
        test.targets,
        classes=train.classes,
        augmentation=augmentation,
        scale=scale,
    )


def _open(request: Request, dataset: str, train: bool) -> Any:
    try:
        from torchvision import datasets
    except ImportError as error:
        raise NasError(
            f"data '{request.spec}' needs torchvision: pip install torchvision"
        ) from error
    root = request.folder
    try:
        return getattr(datasets, dataset)(str(root), train=train, download=request.download)
    except Exception as error:  # whatever the network, the disk or a broken file comes up with
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".") + "."
        raise NasError(
            f"data '{request.spec}' is missing or broken: {reason} Pass --download, put the "
            f"folder {_FOLDERS[dataset]} into {root}, or name another root"
        ) from error
