"""Rank statistics of many bootstrap resamples at once.

A resample of n architectures is how often each was drawn: a column of counts. Every statistic takes
the order of the architectures, which is the same in all resamples, and counts [n, r], and returns
an array [r]. Counts of 1 give the statistic of the sample itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["RESAMPLES", "Counts", "Resamples", "kendall", "order_of", "spearman", "top_precision"]

Floats = NDArray[np.float64]
Counts = NDArray[np.float32]
"""How often each architecture was drawn, [n, r]; sums of counts are exact up to n of 2^24."""
Integers = NDArray[np.int64]

RESAMPLES = 1000
_AT_ONCE = 2_000_000  # counts


class Resamples:
    """The resamples that all evaluators are judged on, so that differences are paired.

    Args:
        n: Architectures.
        seed: Of the draws.
    """

    def __init__(self, n: int, seed: int = 0) -> None:
        self.n, self.seed = n, seed

    @cached_property
    def _counts(self) -> NDArray[np.uint16]:
        rng = np.random.default_rng(self.seed)
        counts = np.empty((self.n, RESAMPLES), dtype=np.uint16)
        for column in range(RESAMPLES):
            counts[:, column] = np.bincount(rng.integers(0, self.n, self.n), minlength=self.n)
        return counts

    def of(self, statistic: Callable[[Counts], Floats]) -> Floats:
        """Return a statistic of every resample, [RESAMPLES]."""
        return np.concatenate([statistic(counts) for counts in self._parts()])

    def value(self, statistic: Callable[[Counts], Floats]) -> float:
        """Return a statistic of the sample."""
        return float(statistic(np.ones((self.n, 1), dtype=np.float32))[0])

    def _parts(self) -> Iterator[Counts]:
        step = max(1, _AT_ONCE // self.n)
        for at in range(0, RESAMPLES, step):
            yield self._counts[:, at : at + step].astype(np.float32)


def order_of(values: Floats) -> Integers:
    """Return the rank of every value, [n], from 0; equal values have the same."""
    ranks: Integers = np.unique(values, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return ranks


def spearman(a: Integers, b: Integers, counts: Counts) -> Floats:
    """Return Spearman's rank correlation; NaN where one side is constant."""
    x, y = _centred_ranks(a, counts), _centred_ranks(b, counts)
    own = counts * x
    return _ratio(_dot(own, y), _dot(own, x), _dot(counts * y, y))


def kendall(a: Integers, b: Integers, counts: Counts) -> Floats:
    """Return Kendall's tau-b; NaN where one side is constant."""
    return _ratio(_concordance(a, b, counts), _unequal(a, counts), _unequal(b, counts))


def top_precision(a: Integers, b: Integers, k: int, counts: Counts) -> Floats:
    """Return the share of the k highest in `a` that are among those in `b`.

    Of equals the first count.
    """
    both = np.minimum(_among(a, k, counts), _among(b, k, counts))
    share: Floats = both.sum(0, dtype=np.float64) / k
    return share


def _dot(a: Counts, b: Counts) -> Floats:
    """Return the sums of products, [r], added up in double precision."""
    found: Floats = np.einsum("ij,ij->j", a, b, dtype=np.float64)
    return found


def _ratio(both: Floats, one: Floats, other: Floats) -> Floats:
    size = np.sqrt(one * other)
    return np.divide(both, size, out=np.full_like(both, np.nan), where=size > 0)


def _blocks(*keys: Integers) -> tuple[Integers, Integers]:
    """Return where the block of equal keys that each element is in begins, and ends; both [n]."""
    n = len(keys[0])
    new = np.ones(n, dtype=np.bool_)
    new[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    starts = np.flatnonzero(new)
    which = np.cumsum(new) - 1
    return starts[which], np.append(starts[1:], n)[which]


def _sums(counts: Counts) -> Counts:
    """Return the sums of the first 0, 1, ... n rows, [n + 1, r]."""
    sums = np.zeros((len(counts) + 1, counts.shape[1]), dtype=np.float32)
    np.cumsum(counts, axis=0, out=sums[1:])
    return sums


def _centred_ranks(a: Integers, counts: Counts) -> Counts:
    """Return twice the distance of every (mid-)rank from the mean rank, [n, r]."""
    order = np.argsort(a, kind="stable")
    start, end = _blocks(a[order])
    sums = _sums(counts[order])
    ranks = np.empty_like(counts)
    ranks[order] = sums[start] - (sums[-1] - sums[end])
    return ranks


def _unequal(a: Integers, counts: Counts) -> Floats:
    """Return the number of (ordered) pairs that differ, [r]."""
    order = np.argsort(a, kind="stable")
    starts = np.unique(_blocks(a[order])[0])
    equal = np.add.reduceat(counts[order], starts, axis=0)
    n: Floats = counts.sum(0, dtype=np.float64)
    return n**2 - _dot(equal, equal)


def _concordance(a: Integers, b: Integers, counts: Counts) -> Floats:
    """Return concordant less discordant (ordered) pairs, [r], in n log n steps.

    Two different ranks in `b` agree above one bit and differ in it: bit by bit, among those that
    agree above it, the ones with the bit are compared with the ones without.
    """
    total = np.zeros(counts.shape[1])
    for bit in range(int(b.max()).bit_length()):
        above = b >> (bit + 1)
        order = np.lexsort((a, above))
        has_bit = ((b[order] >> bit) & 1).astype(np.bool_)
        without = np.append(0, np.cumsum(~has_bit))  # how many of the first are
        own, sums = counts[order[has_bit]], _sums(counts[order[~has_bit]])
        start, end = (without[edge[has_bit]] for edge in _blocks(above[order], a[order]))
        first, last = (without[edge[has_bit]] for edge in _blocks(above[order]))
        smaller = sums[start]
        greater = smaller if (start == end).all() else sums[end]
        total += _dot(own, smaller + greater)
        group = np.flatnonzero(np.diff(first, prepend=-1))  # where the next one's begins
        if len(group):
            limits = sums[first[group]] + sums[last[group]]
            total -= _dot(np.add.reduceat(own, group, axis=0), limits)
    return 2 * total


def _among(a: Integers, k: int, counts: Counts) -> Counts:
    """Return how many of each one's copies are among the k highest, [n, r]."""
    order = np.argsort(-a, kind="stable")
    own = counts[order]
    taken = np.empty_like(counts)
    taken[order] = np.clip(k - _sums(own)[:-1], 0.0, own)
    return taken
