"""The digits of scikit-learn."""

from __future__ import annotations

import sys

import pytest
import torch

from nas.data import load_task
from nas.errors import NasError
from nas.task.augment import Augmentation


def test_digits() -> None:
    task = load_task("digits")
    assert (task.input_shape, task.outputs, task.scale) == ((1, 8, 8), 10, "small")
    assert sum(task.size(split) for split in ("train", "valid", "test")) == 1797
    assert task.augmentation == Augmentation(crop_padding=1)
    x, y = next(task.batches("train", 64, seed=0))
    assert x.shape == (64, 1, 8, 8) and len(y.unique()) == 10


def test_labels_belong_to_their_images() -> None:
    """The nearest class mean of the train split recognises the test split."""
    task = load_task("digits")
    x, y = next(task.batches("train", 10_000))
    means = torch.stack([x[y == c].flatten(1).mean(0) for c in range(10)])
    x, y = next(task.batches("test", 10_000))
    assert task.correct(-torch.cdist(x.flatten(1), means), y) > 0.85 * len(y)


def test_without_scikit_learn_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(NasError, match="pip install scikit-learn"):
        load_task("digits")
