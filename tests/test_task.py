"""Tasks: splits, batches, loss, metric."""

from __future__ import annotations

import json
import math
import multiprocessing
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tiny import text_task
from torch import Tensor
from torch.nn import functional
from torch.utils.data import TensorDataset

from nas.data.augment import Augmentation
from nas.data.examples.streamed import StreamedExamples
from nas.data.examples.tensors import HostExamples
from nas.errors import NasError
from nas.task import Task, TaskInfo

N = 60


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


# -- facts ----------------------------------------------------------------------------------------


def test_facts() -> None:
    task = make(name="mine", scale="paper", classes=["a", "b", "c"])
    assert (task.input_shape, task.outputs) == ((3, 6, 6), 3)
    assert (task.name, task.scale, task.classes) == ("mine", "paper", ("a", "b", "c"))
    assert task.device == torch.device("cpu")
    assert task.x.dtype == torch.uint8 and task.y.dtype == torch.int64
    assert "mine" in repr(task) and len(repr(task)) < 200


def test_info_round_trip() -> None:
    info = TaskInfo((3, 32, 32), 10)
    assert TaskInfo.from_json(info.to_json()) == info
    assert hash(info) == hash(TaskInfo((3, 32, 32), 10))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"input_shape": 3, "outputs": 2}',
        '{"input_shape": [3, 0], "outputs": 2}',
        '{"input_shape": [], "outputs": 2}',
        '{"input_shape": [3]}',
        '{"input_shape": ["3"], "outputs": 2}',
        '{"input_shape": [3], "outputs": true}',
    ],
)
def test_info_of_anything_else_is_refused(text: str) -> None:
    with pytest.raises(NasError, match="not the shapes of a task"):
        TaskInfo.from_json(text)


def test_describe_can_be_recorded_and_tells_splits_apart() -> None:
    one, same, other = (make(seed=seed).describe() for seed in (1, 1, 2))
    assert json.loads(json.dumps(one)) == one == same
    assert one["sizes"] == {"train": 24, "valid": 24, "test": 12}
    assert (one["seed"], one["valid_fraction"], one["test_fraction"]) == (1, 0.5, 0.2)
    assert set(one["sha256"]) == {"train", "valid", "test"}
    assert one["sha256"]["train"] != other["sha256"]["train"]
    given = Task.from_arrays(images(), labels(), images(), labels())
    assert given.describe()["test_fraction"] is None


# -- splits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 5])
def test_splits_are_disjoint_and_complete(seed: int) -> None:
    task = make(seed=seed, valid_fraction=0.25)
    parts = {split: identities(task, split) for split in ("train", "valid", "test")}
    assert {split: len(part) for split, part in parts.items()} == {
        "train": 36,
        "valid": 12,
        "test": 12,
    }
    assert sorted(n for part in parts.values() for n in part) == list(range(N))
    assert sorted(identities(task, "train+valid")) == sorted(parts["train"] + parts["valid"])
    assert task.size("train+valid") == 48


def test_test_arrays_are_the_test_split_in_their_order() -> None:
    reverse = images()[::-1]
    task = Task.from_arrays(images(), labels(), reverse, labels()[::-1])
    assert identities(task, "test") == list(range(N))[::-1]
    assert task.size("train+valid") == N


def test_no_split_is_in_order_of_class() -> None:
    task = make()
    for split in ("train", "valid"):
        assert len(set(labels()[identities(task, split)][:8])) > 1


# -- batches --------------------------------------------------------------------------------------


def test_fixed_order_without_a_seed() -> None:
    task = make()
    assert identities(task, "valid") == identities(task, "valid")


def test_a_seed_shuffles_and_repeats() -> None:
    task = make()
    fixed, first = identities(task, "train"), identities(task, "train", seed=1)
    assert first != fixed and sorted(first) == sorted(fixed)
    assert first == identities(task, "train", seed=1)
    assert first != identities(task, "train", seed=2)


@pytest.mark.parametrize("split", ["train", "valid", "test", "train+valid"])
def test_shuffling_stays_within_the_split(split: str) -> None:
    task = make()
    assert sorted(identities(task, split, seed=1)) == sorted(identities(task, split))


def test_batches_ignore_and_leave_alone_the_global_generator() -> None:
    task = make(augmentation=Augmentation(crop_padding=1, flip=True, cutout=2))
    torch.manual_seed(1)
    first = batch(task, seed=3, augment=True)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    assert torch.equal(first, batch(task, seed=3, augment=True))
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(first, batch(task, seed=4, augment=True))


@pytest.mark.parametrize("seed", [None, 0])
def test_sizes_of_batches(seed: int | None) -> None:
    task = make()
    assert [len(y) for _, y in task.batches("train", 7, seed=seed)] == [7, 7, 7, 3]
    kept = list(task.batches("train", 7, seed=seed, drop_last=True))
    assert [len(x) for x, _ in kept] == [len(y) for _, y in kept] == [7, 7, 7]
    assert [len(y) for _, y in task.batches("train", 12, seed=seed, drop_last=True)] == [12, 12]
    assert [len(y) for _, y in task.batches("train", 500, seed=seed)] == [24]


def test_normalised_by_the_train_split_alone() -> None:
    task = make()
    x = batch(task)
    assert x.dtype == torch.float32
    assert x.mean((0, 2, 3)).abs().max() < 1e-5
    assert (x.std((0, 2, 3), correction=0) - 1).abs().max() < 1e-5
    for split in ("valid", "test"):
        assert batch(task, split).mean((0, 2, 3)).abs().max() > 1e-4
    train = sorted(identities(task, "train"))
    expected = images()[train].mean((0, 1, 2))
    assert task.mean.tolist() == pytest.approx(expected.tolist(), rel=1e-6)


def test_other_splits_do_not_move_the_statistics() -> None:
    task = make()
    changed = images().astype(np.float32)
    changed[identities(task, "valid") + identities(task, "test")] += 1000
    other = Task.from_arrays(changed, labels())
    assert torch.equal(task.mean, other.mean) and torch.equal(task.std, other.std)


def test_uint8_and_float_give_the_same_batches() -> None:
    settings = {"augmentation": Augmentation(crop_padding=2, flip=True)}
    one = Task.from_arrays(images("uint8"), labels(), **settings)
    two = Task.from_arrays(images("float64"), labels(), **settings)
    assert two.x.dtype == torch.float32
    assert torch.equal(batch(one, seed=1, augment=True), batch(two, seed=1, augment=True))


def test_augmentation_acts_where_asked_for_alone() -> None:
    task = make(augmentation=Augmentation(crop_padding=1))
    plain, changed = batch(task, seed=1), batch(task, seed=1, augment=True)
    assert plain.shape == changed.shape and not torch.equal(plain, changed)
    assert torch.equal(plain, batch(make(), seed=1))


def test_crops_are_filled_with_black_and_cutout_with_the_mean() -> None:
    task = make(augmentation=Augmentation(crop_padding=6))
    black = ((0 - task.mean) / task.std)[:, None, None]
    x = batch(task, seed=1, augment=True)
    assert ((x == black).all(1).flatten(1).sum(1) > 0).float().mean() > 0.8
    holes = (batch(make(), seed=1, augment=True, cutout=4) == 0).all(1).flatten(1).sum(1)
    assert holes.min() >= 4 and holes.max() == 16


def test_cutout_can_be_switched_by_the_caller() -> None:
    task = make(augmentation=Augmentation(cutout=3))
    settings = {"seed": 1, "augment": True}
    assert torch.equal(batch(task, **settings), batch(task, **settings, cutout=3))
    assert torch.equal(batch(task, **settings, cutout=0), batch(task, seed=1))
    assert not torch.equal(batch(task, **settings, cutout=2), batch(task, **settings))


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        (("trian", 4), {}, "unknown split 'trian'. Did you mean 'train'"),
        (("train", 0), {}, "batch size 0: expected 1"),
        (("train", 25), {"drop_last": True}, "batch size 25: expected 1 to 24"),
        (("train", 4), {"augment": True}, "augmentation needs a seed"),
    ],
)
def test_wrong_requests_are_refused_at_once(
    arguments: tuple[str, int], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(NasError, match=message):
        make().batches(*arguments, **settings)


# -- vectors --------------------------------------------------------------------------------------


def test_vectors() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal([5, 0, 1], [2, 1, 0], (N, 3))
    task = Task.from_arrays(x, labels())
    assert task.input_shape == (3,) and task.augmentation is None
    got = batch(task, seed=1, augment=True)
    assert got.mean(0).abs().max() < 1e-5
    assert got.std(0, correction=0).tolist() == pytest.approx([1, 1, 0], abs=1e-5)
    with pytest.raises(NasError, match="cutout needs images"):
        task.batches("train", 4, seed=1, augment=True, cutout=2)
    with pytest.raises(NasError, match="augmentation needs images"):
        Task.from_arrays(x, labels(), augmentation=Augmentation(flip=True))


# -- loss and metric ------------------------------------------------------------------------------


def test_loss_and_auxiliary_loss() -> None:
    logits, auxiliary = torch.randn(5, 3), torch.randn(5, 3)
    target = torch.tensor([0, 1, 2, 0, 1])
    main, extra = (functional.cross_entropy(o, target) for o in (logits, auxiliary))
    task = make()
    assert torch.equal(task.loss(logits, target), main)
    assert torch.equal(task.loss((logits, None), target), main)
    assert torch.allclose(task.loss((logits, auxiliary), target), main + 0.4 * extra)
    weighted = make(auxiliary_weight=0.1)
    assert torch.allclose(weighted.loss([logits, auxiliary], target), main + 0.1 * extra)


def test_label_smoothing() -> None:
    logits, target = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    task = make(label_smoothing=0.2)
    uniform = -functional.log_softmax(logits, 1).mean()
    expected = 0.8 * functional.cross_entropy(logits, target) + 0.2 * uniform
    assert torch.allclose(task.loss(logits, target), expected)


def test_correct() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0], [0.0, 1.0, 2.0], [0.0, 3.0, 2.0]])
    target = torch.tensor([0, 1, 1])
    task = make()
    assert task.correct(logits, target) == task.correct((logits, -logits), target) == 2
    assert type(task.correct(logits, target)) is int


# -- making and moving ----------------------------------------------------------------------------


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


AUGMENTED: dict[str, Any] = {"seed": 1, "augment": True}


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
    monkeypatch.setattr("nas.data.device.memory_size", lambda _: 2 * images().nbytes - 1)
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


def test_what_does_not_fit_the_device_stays_with_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    task = make(augmentation=Augmentation(crop_padding=1))
    sizes = {"cpu": 10**9, "meta": 2 * task.x.nbytes - 1}
    monkeypatch.setattr("nas.data.device.memory_size", lambda device: sizes[device.type])
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
    monkeypatch.setattr("nas.data.device.memory_size", lambda _: 8000)
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
