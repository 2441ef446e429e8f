"""Small tasks of images, each of which tells which one it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from nas.task import Task

N = 60
AUGMENTED: dict[str, Any] = {"seed": 1, "augment": True}


def labels() -> Any:
    """Three classes, sorted."""
    return np.repeat(np.arange(3), N // 3)


def images(dtype: str = "uint8") -> Any:
    """Images whose pixels differ and whose first one tells the example."""
    x = np.random.default_rng(0).integers(0, 200, (N, 6, 6, 3)).astype(dtype)
    x[:, 0, 0, 0] = np.arange(N)
    return x


def make(**settings: Any) -> Task:
    return Task.from_arrays(images(), labels(), **settings)


def identities(task: Task, split: str, **settings: Any) -> list[int]:
    """Which examples (by number in the source) a pass over a split yields."""
    found = []
    for x, y in task.batches(split, 7, **settings):
        raw = (x[:, 0, 0, 0] * task.std[0] + task.mean[0]).round().int().tolist()
        assert y.tolist() == labels()[raw].tolist()
        found += raw
    return found


def batch(task: Task, split: str = "train", **settings: Any) -> Tensor:
    return next(task.batches(split, 1000, **settings))[0]


class Listed(TensorDataset):
    """A dataset that lists its labels, as torchvision's do."""

    @property
    def targets(self) -> Tensor:
        return self.tensors[1]


def dataset(kind: type[TensorDataset] = Listed, dtype: str = "uint8") -> TensorDataset:
    return kind(torch.from_numpy(images(dtype)).movedim(3, 1), torch.from_numpy(labels()))


def assert_same(one: Task, two: Task, split: str, **settings: Any) -> None:
    passes = [task.batches(split, 7, **settings) for task in (one, two)]
    for (x, y), (again, same) in zip(*passes, strict=True):
        assert torch.equal(x, again) and torch.equal(y, same)
