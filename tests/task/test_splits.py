"""Splits are disjoint, stratified, seeded; the test split does not depend on the seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nas.errors import NasError
from nas.task.splits import Indices, Splits, make_splits, stratified

SORTED = np.repeat(np.arange(5), 40)


def split(labels: Indices = SORTED, test_count: int | None = None, **settings: Any) -> Splits:
    defaults = {"valid_fraction": 0.5, "test_fraction": 0.2, "limit": None, "seed": 0}
    return make_splits(labels, test_count, name="data", **{**defaults, **settings})


def per_class(labels: Indices, indices: Indices) -> list[int]:
    return np.bincount(labels[indices], minlength=labels.max() + 1).tolist()


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_splits_are_disjoint_cover_everything_and_keep_proportions(seed: int) -> None:
    splits = split(seed=seed)
    assert sorted(splits.order()) == list(range(200))
    assert per_class(SORTED, splits.test) == [8] * 5
    assert per_class(SORTED, splits.train) == per_class(SORTED, splits.valid) == [16] * 5


def test_unbalanced_classes_keep_their_proportions() -> None:
    labels = np.repeat([0, 1, 2], [100, 50, 10])
    splits = split(labels, 30, valid_fraction=0.3)
    assert per_class(labels, splits.valid) == [30, 15, 3]
    assert splits.test.tolist() == list(range(160, 190))


def test_train_is_in_random_order_not_in_the_source_s() -> None:
    splits = split()
    assert len(set(SORTED[splits.train[:16]])) > 2
    assert len(set(SORTED[splits.valid[:16]])) > 2


def test_seed_decides_train_and_valid_but_not_test() -> None:
    first, again, other = split(seed=1), split(seed=1), split(seed=2)
    assert first.sha256() == again.sha256()
    assert first.sha256()["train"] != other.sha256()["train"]
    assert set(first.train) != set(other.train)
    assert first.sha256()["test"] == other.sha256()["test"]


def test_limit_is_exact_stratified_and_leaves_the_test_split_alone() -> None:
    whole, limited = split(), split(limit=53)
    assert len(limited.train) + len(limited.valid) == 53
    counts = np.add(per_class(SORTED, limited.train), per_class(SORTED, limited.valid))
    assert counts.min() >= 10 and counts.max() <= 11
    assert np.array_equal(whole.test, limited.test)
    assert len(np.intersect1d(limited.order(), limited.test)) == len(limited.test)
    assert split(limit=10_000).sha256() == whole.sha256()


def test_small_limit_on_unbalanced_classes_is_kept_to() -> None:
    labels = np.repeat([0, 1, 2, 3], [1000, 2, 2, 2])
    splits = split(labels, 5, limit=8)
    assert per_class(labels, splits.train) == per_class(labels, splits.valid) == [1, 1, 1, 1]


def test_a_class_with_one_example_is_for_training() -> None:
    labels = np.array([0] * 10 + [1])
    splits = split(labels, 3)
    assert 10 in splits.train


def test_an_absent_class_in_the_middle_draws_nothing() -> None:
    labels = np.array([0] * 10 + [2] * 10)
    splits = split(labels, 3)
    assert per_class(labels, splits.valid) == [5, 0, 5]


def test_every_class_with_two_examples_is_in_train_and_valid() -> None:
    labels = np.repeat([0, 1], [200, 2])
    splits = split(labels, 3, valid_fraction=0.05)
    assert per_class(labels, splits.valid)[1] == per_class(labels, splits.train)[1] == 1


def test_stratified_draws_differ_between_generators() -> None:
    counts = np.bincount(SORTED)
    args = (SORTED, np.arange(200), 50, counts * 0, counts)
    first = stratified(*args, np.random.default_rng(0))
    second = stratified(*args, np.random.default_rng(1))
    assert len(set(first)) == len(set(second)) == 50
    assert set(first) != set(second)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"valid_fraction": 0.0}, "valid_fraction=0.0: expected a number between 0 and 1"),
        ({"valid_fraction": float("nan")}, "valid_fraction=nan"),
        ({"test_fraction": 1}, "test_fraction=1"),
        ({"limit": 0}, "limit=0"),
        ({"limit": 9}, "limit=9 is too few.*allowed: 10 or more"),
        ({"seed": -1}, "seed=-1"),
        ({"labels": np.array([0, 1])}, "too few to divide"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(NasError, match=message):
        split(**settings)
