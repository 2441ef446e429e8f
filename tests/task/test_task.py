"""Tasks: facts, making and moving."""

from __future__ import annotations

import json
import math
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from image_tasks import (
    AUGMENTED,
    assert_same,
    batch,
    images,
    labels,
    make,
)
from tiny import text_task
from torch.utils.data import TensorDataset

from nas.errors import NasError
from nas.task import Task
from nas.task.augment import Augmentation
from nas.task.examples.tensors import HostExamples


def test_facts() -> None:
    task = make(name="mine", scale="paper", classes=["a", "b", "c"])
    assert (task.input_shape, task.outputs) == ((3, 6, 6), 3)
    assert (task.name, task.scale, task.classes) == ("mine", "paper", ("a", "b", "c"))
    assert task.device == torch.device("cpu")
    assert task.x.dtype == torch.uint8 and task.y.dtype == torch.int64
    assert "mine" in repr(task) and len(repr(task)) < 200


def test_describe_can_be_recorded_and_tells_splits_apart() -> None:
    one, same, other = (make(seed=seed).describe() for seed in (1, 1, 2))
    assert json.loads(json.dumps(one)) == one == same
    assert one["sizes"] == {"train": 24, "valid": 24, "test": 12}
    assert (one["seed"], one["valid_fraction"], one["test_fraction"]) == (1, 0.5, 0.2)
    assert set(one["sha256"]) == {"train", "valid", "test"}
    assert one["sha256"]["train"] != other["sha256"]["train"]
    given = Task.from_arrays(images(), labels(), images(), labels())
    assert given.describe()["test_fraction"] is None


def test_the_users_arrays_stay_as_they_are() -> None:
    x, y = images("float32"), labels()
    task = Task.from_arrays(x, y, augmentation=Augmentation(crop_padding=1))
    task.x.zero_()
    assert np.array_equal(x, images("float32")) and np.array_equal(y, labels())


def test_from_dataset_equals_from_arrays() -> None:
    x, y = torch.from_numpy(images()).movedim(3, 1), torch.from_numpy(labels())
    task = Task.from_dataset(TensorDataset(x, y), seed=3, name="set")
    expected = make(seed=3)
    assert task.name == "set"
    assert torch.equal(task.x, expected.x) and torch.equal(task.y, expected.y)
    both = Task.from_dataset(TensorDataset(x, y), TensorDataset(x[:9], y[:9]))
    assert both.size("test") == 9 and both.name == "dataset"


def test_what_does_not_fit_the_device_stays_with_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    task = make(augmentation=Augmentation(crop_padding=1))
    sizes = {"cpu": 10**9, "meta": 2 * task.x.nbytes - 1}
    monkeypatch.setattr("nas.task.device.memory_size", lambda device: sizes[device.type])
    moved = task.to("meta")
    assert isinstance(moved.examples, HostExamples) and moved.x.device.type == "cpu"
    assert moved.device.type == "meta"
    for settings in ({}, AUGMENTED):
        for x, y in moved.batches("train", 7, **settings):
            assert x.device.type == y.device.type == "meta" and x.shape == (len(y), 3, 6, 6)
    # The same path, to a device that computes.
    here = replace(task, examples=HostExamples(task.x, torch.device("cpu")))
    assert_same(task, here, "train+valid")
    assert_same(task, here, "train", **AUGMENTED, cutout=2)


def test_limit() -> None:
    task = make(limit=12)
    assert (task.size("train"), task.size("valid"), task.size("test")) == (6, 6, 12)
    assert len(task.x) == 24  # what is not used is not kept


def test_to_moves_everything_and_keeps_the_original() -> None:
    task = make()
    assert task.to("cpu") is task
    moved = task.to("meta")
    assert {moved.x.device.type, moved.y.device.type, moved.mean.device.type} == {"meta"}
    assert moved.describe() == task.describe() and task.device.type == "cpu"
    x, y = next(moved.batches("train", 4, seed=0))
    assert x.shape == (4, 3, 6, 6) and y.device.type == "meta"


def test_too_much_data_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.task.device.memory_size", lambda _: 8000)
    with pytest.raises(NasError, match=r"arrays: .*more than half"):
        make()
    assert len(make(limit=6).y) == 18


def test_a_task_can_be_sent_to_another_process() -> None:
    task = make(augmentation=Augmentation(flip=True))
    again = pickle.loads(pickle.dumps(task))
    assert again.describe() == task.describe()
    assert torch.equal(batch(again, seed=1, augment=True), batch(task, seed=1, augment=True))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scale": "big"}, "unknown scale 'big'"),
        ({"label_smoothing": -0.1}, "label_smoothing=-0.1"),
        ({"auxiliary_weight": float("nan")}, "auxiliary_weight=nan"),
        ({"valid_fraction": 1.0}, "arrays: valid_fraction=1.0"),
        ({"layout": "CHW"}, "unknown layout"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(NasError, match=message):
        make(**settings)


def test_metrics_are_those_of_the_kind() -> None:
    assert make().metrics(0.25, 1.5) == {"accuracy": 0.25, "loss": 1.5}
    found = text_task().metrics(accuracy=0.25, loss=2 * math.log(2))
    assert found == {"accuracy": 0.25, "loss": 2 * math.log(2), "bits_per_byte": 2.0}
