"""Splits and batches of tasks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from image_tasks import (
    N,
    batch,
    identities,
    images,
    labels,
    make,
)

from nas.errors import NasError
from nas.task import Task
from nas.task.augment import Augmentation

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
