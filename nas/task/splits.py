"""Which examples are for training, validation and test: disjoint, seeded, stratified by class."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.errors import NasError

__all__ = ["Indices", "Splits", "make_splits", "stratified"]

Indices = NDArray[np.int64]

_TEST, _LIMIT, _VALID = range(3)
"""Independent streams of random numbers, one a purpose."""


@dataclass(frozen=True)
class Splits:
    """Disjoint index lists into the source's examples; test arrays count on after the others.

    Args:
        train: Examples for weights, in random order.
        valid: Examples for gates and scores, in random order.
        test: Examples for the last word, in the source's order.
    """

    train: Indices
    valid: Indices
    test: Indices

    @property
    def size(self) -> int:
        """Number of examples in all three."""
        return len(self.train) + len(self.valid) + len(self.test)

    def bounds(self) -> dict[str, tuple[int, int]]:
        """Return split -> first row and the row after its last, in `order`."""
        first, second = len(self.train), len(self.train) + len(self.valid)
        return {
            "train": (0, first),
            "valid": (first, second),
            "test": (second, self.size),
            "train+valid": (0, second),
        }

    def order(self) -> Indices:
        """Return the three lists one after the other."""
        return np.concatenate([self.train, self.valid, self.test])

    def sha256(self) -> dict[str, str]:
        """Return split -> SHA-256 of its index list (in its order, as little-endian int64)."""
        lists = {"train": self.train, "valid": self.valid, "test": self.test}
        return {
            name: hashlib.sha256(indices.astype("<i8").tobytes()).hexdigest()
            for name, indices in lists.items()
        }


def make_splits(
    labels: Indices,
    test_count: int | None,
    *,
    valid_fraction: float,
    test_fraction: float,
    limit: int | None,
    seed: int,
    name: str,
) -> Splits:
    """Divide examples.

    The test examples taken from the others do not depend on the seed: a search with one seed and
    a training with another must not share what was held out.

    Args:
        labels: Of the training arrays, int64 [N].
        test_count: Number of examples in separate test arrays; None where there are none.
        valid_fraction: Share of the examples that are not for test, between 0 and 1.
        test_fraction: Share of all, between 0 and 1; used where there are no test arrays.
        limit: The most examples for train and valid together; None is no limit.
        seed: At least 0.
        name: Of the data, for messages.

    Raises:
        NasError: For a setting out of range or too few examples to divide.
    """
    _check(valid_fraction, test_fraction, limit, seed, name)
    rest = np.arange(len(labels), dtype=np.int64)
    if test_count is None:
        test = _fraction(labels, rest, test_fraction, np.random.default_rng(_TEST))
        rest = np.setdiff1d(rest, test)
    else:
        test = np.arange(len(labels), len(labels) + test_count, dtype=np.int64)
    if limit is not None and limit < len(rest):
        rest = _limited(labels, rest, limit, np.random.default_rng([_LIMIT, seed]), name)
    rng = np.random.default_rng([_VALID, seed])
    valid = _fraction(labels, rest, valid_fraction, rng)
    train = np.setdiff1d(rest, valid)
    if not (len(train) and len(valid) and len(test)):
        sizes = f"{len(train)} train, {len(valid)} valid, {len(test)} test"
        raise NasError(
            f"{name}: {len(labels)} examples are too few to divide ({sizes}); a class needs "
            "at least 2 examples, or 3 where no test arrays are given"
        )
    return Splits(rng.permutation(train), rng.permutation(valid), np.sort(test))


def _check(
    valid_fraction: float, test_fraction: float, limit: int | None, seed: int, name: str
) -> None:
    for what, value in (("valid_fraction", valid_fraction), ("test_fraction", test_fraction)):
        if not 0 < value < 1:
            raise NasError(f"{name}: {what}={value!r}: expected a number between 0 and 1")
    if limit is not None and limit < 1:
        raise NasError(f"{name}: limit={limit!r}: expected at least 1 example, or none")
    if seed < 0:
        raise NasError(f"{name}: seed={seed}: expected a whole number >= 0")


def _fraction(
    labels: Indices, among: Indices, fraction: float, rng: np.random.Generator
) -> Indices:
    """Take a share of the examples, of each class at least 1 and not all where it has 2."""
    total = int(len(among) * fraction + 0.5)
    counts = np.bincount(labels[among])
    ceiling = np.maximum(counts - 1, 0)
    return stratified(labels, among, total, np.minimum(ceiling, 1), ceiling, rng)


def _limited(
    labels: Indices, among: Indices, limit: int, rng: np.random.Generator, name: str
) -> Indices:
    """Take `limit` examples, of each class at least 2 where it has them: train and valid."""
    counts = np.bincount(labels[among])
    floor = np.minimum(counts, 2)
    if limit < floor.sum():
        raise NasError(
            f"{name}: limit={limit} is too few for 2 examples of each class; "
            f"allowed: {floor.sum()} or more"
        )
    return stratified(labels, among, limit, floor, counts, rng)


def stratified(
    labels: Indices,
    among: Indices,
    total: int,
    floor: Indices,
    ceiling: Indices,
    rng: np.random.Generator,
) -> Indices:
    """Draw examples at random, each class in proportion to its size.

    Args:
        labels: Of all examples, int64 [N].
        among: Indices of the examples to draw from.
        total: How many to draw; missed only where floor or ceiling forbids it.
        floor: The fewest to draw of each class, [classes].
        ceiling: The most to draw of each class, [classes].
        rng: Source of randomness.
    """
    shuffled = rng.permutation(among)
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    counts = np.bincount(labels[among], minlength=len(floor))
    groups = np.split(by_class, np.cumsum(counts)[:-1])
    quotas = _quotas(counts, total, floor, ceiling)
    taken = [group[:quota] for group, quota in zip(groups, quotas, strict=True)]
    return np.concatenate(taken)


def _quotas(counts: Indices, total: int, floor: Indices, ceiling: Indices) -> Indices:
    """Share out `total` in proportion to `counts` by largest remainders, within limits."""
    quotas, remainders = np.divmod(counts * total, counts.sum())
    largest = np.argsort(-remainders, kind="stable")
    quotas[largest[: total - quotas.sum()]] += 1
    quotas = np.clip(quotas, floor, ceiling)
    while quotas.sum() > total and (quotas > floor).any():
        quotas[np.argmax(np.where(quotas > floor, quotas, -1))] -= 1
    return quotas
