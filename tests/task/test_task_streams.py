"""Tasks whose examples are read while training."""

from __future__ import annotations

import multiprocessing
import pickle
from typing import Any

import pytest
import torch
from image_tasks import (
    AUGMENTED,
    Listed,
    assert_same,
    dataset,
    images,
)
from torch.utils.data import TensorDataset

from nas.errors import NasError
from nas.task import Task
from nas.task.augment import Augmentation
from nas.task.examples.streamed import StreamedExamples


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("kind", [Listed, TensorDataset])
def test_streamed_batches_are_the_same(workers: int, dtype: str, kind: type[TensorDataset]) -> None:
    given = {"augmentation": Augmentation(crop_padding=2, flip=True), "name": "mine", "seed": 4}
    kept = Task.from_dataset(dataset(kind, dtype), **given)
    streamed = Task.from_dataset(dataset(kind, dtype), **given, stream=True, workers=workers)
    assert streamed.describe() == kept.describe() and streamed.info == kept.info
    assert torch.equal(streamed.mean, kept.mean) and torch.equal(streamed.std, kept.std)
    for split in ("train", "valid", "test", "train+valid"):
        for settings in ({}, {"seed": 2}, AUGMENTED, {**AUGMENTED, "cutout": 3}):
            assert_same(kept, streamed, split, **settings)
    assert_same(kept, streamed, "train", **AUGMENTED, drop_last=True)


def test_passes_over_streamed_splits_may_overlap() -> None:
    kept, streamed = (Task.from_dataset(dataset(), stream=s, workers=1) for s in (False, True))
    for _ in range(2):
        pairs = [
            zip(task.batches("train", 9, seed=1), task.batches("valid", 5), strict=False)
            for task in (kept, streamed)
        ]
        for ((x, _), (v, _)), ((x2, _), (v2, _)) in zip(*pairs, strict=True):
            assert torch.equal(x, x2) and torch.equal(v, v2)


def test_no_process_is_left_of_a_streamed_task() -> None:
    task = Task.from_dataset(dataset(), stream=True, workers=2)
    assert len(multiprocessing.active_children()) == 2  # they have measured mean and deviation
    batches = task.batches("train", 1, seed=0)
    next(batches)
    batches.close()
    assert len(list(task.batches("train", 6))) == 4
    assert len(multiprocessing.active_children()) == 2
    next(batches := task.batches("valid", 1))
    del task, batches
    assert multiprocessing.active_children() == []


def test_a_streamed_task_has_no_tensor_of_all_examples() -> None:
    task = Task.from_dataset(dataset(), stream=True, workers=0)
    with pytest.raises(NasError, match="dataset: streamed examples are not in memory"):
        _ = task.x
    again = pickle.loads(pickle.dumps(task))
    assert_same(task, again, "train", seed=1)
    x, y = next(task.to("meta").batches("train", 4, seed=0))
    assert x.device.type == y.device.type == "meta"


def test_streams_only_what_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    def is_streamed(**settings: Any) -> bool:
        made = Task.from_dataset(dataset(), workers=0, **settings)
        return isinstance(made.examples, StreamedExamples)

    assert not is_streamed() and is_streamed(stream=True)
    monkeypatch.setattr("nas.task.device.memory_size", lambda _: 2 * images().nbytes - 1)
    assert is_streamed()
    with pytest.raises(NasError, match="more than half"):
        is_streamed(stream=False)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"workers": -1}, "workers=-1"),
        ({"layout": "CHW"}, "unknown layout"),
        ({"scale": "big"}, "unknown scale 'big'"),
        ({"valid_fraction": 1.0}, "dataset: valid_fraction=1.0"),
        ({"classes": ["a", "b"]}, "label 2; expected 0 to 1"),
    ],
)
def test_wrong_settings_of_a_stream_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(NasError, match=message):
        Task.from_dataset(dataset(), stream=True, **{"workers": 0, **settings})
