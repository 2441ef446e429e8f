"""Weisfeiler-Lehman subtree features of architectures, and kernels of them.

Sources: Shervashidze et al., Weisfeiler-Lehman Graph Kernels, JMLR 2011, def. 5; Ru et al.,
NAS-BOWL, ICLR 2021, arXiv:2006.07556, sec. 3.1; Kriege et al., On Valid Optimal Assignment
Kernels, NeurIPS 2016, arXiv:1606.01141, sec. 4.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from nas.errors import NasError
from nas.kernels.structure import Label, Structure, structure_of
from nas.space import Architecture, SearchSpace

__all__ = ["Direction", "Features", "Variant", "WeisfeilerLehman", "kernel"]

Variant = Literal["dot", "assignment"]
"""What two architectures share of a label: the product of its counts, or the lesser of them."""
Direction = Literal["successors", "predecessors", "both"]
"""Whose labels a node's new label takes in."""
Hashes = NDArray[np.uint64]

_VARIANTS: tuple[Variant, ...] = ("dot", "assignment")
_CACHED = 200_000


@dataclass
class Features:
    """The labels of a population's nodes.

    Args:
        owners: The row of the architecture of every node, [nodes], ascending.
        labels: [2, levels + 1, nodes]: hashes of subtrees of every height; the second time with
            the number of the node among those of the same architecture and label, so that each
            occurs once, and the product of counts is the lesser of two counts.
        norms: [2, levels + 1, n]: what each architecture shares with itself at a level.
        keys: [n]: equal where all labels are.
    """

    owners: NDArray[np.int64]
    labels: Hashes
    norms: NDArray[np.float64]
    keys: Hashes
    _columns: dict[tuple[int, int], tuple[Hashes, NDArray[np.int64]]] = field(default_factory=dict)
    _counts: dict[tuple[Variant, int], Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.keys)

    def counts(self, variant: Variant, level: int, vocabulary: Hashes | None = None) -> Any:
        """Return how often every label of levels 0 to `level` occurs.

        Args:
            variant: Which labels.
            level: The largest height of subtrees.
            vocabulary: Sorted labels, one a column; None takes those that occur.

        Returns:
            A sparse matrix [n, labels].
        """
        which = _VARIANTS.index(variant)
        rows = np.tile(self.owners, level + 1)
        if vocabulary is None:
            vocabulary, columns = self._own_columns(which, level)
        else:
            labels = self.labels[which, : level + 1].ravel()
            columns = np.searchsorted(vocabulary, labels)
            known = np.append(vocabulary, np.uint64(0))[columns] == labels
            known &= columns < len(vocabulary)
            rows, columns = rows[known], columns[known]
        shape = (len(self), len(vocabulary))
        return csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)

    def own_counts(self, variant: Variant, level: int) -> Any:
        """Return `counts` of what occurs; it is made once."""
        if (variant, level) not in self._counts:
            self._counts[variant, level] = self.counts(variant, level)
        return self._counts[variant, level]

    def vocabulary(self, variant: Variant, level: int) -> Hashes:
        """Return the labels of levels 0 to `level` that occur, sorted."""
        return self._own_columns(_VARIANTS.index(variant), level)[0]

    def _own_columns(self, which: int, level: int) -> tuple[Hashes, NDArray[np.int64]]:
        if (which, level) not in self._columns:
            labels = self.labels[which, : level + 1].ravel()
            vocabulary, columns = np.unique(labels, return_inverse=True)
            self._columns[which, level] = vocabulary, columns.reshape(-1)
        return self._columns[which, level]

    def squares(self, variant: Variant, level: int) -> NDArray[np.float64]:
        """Return what each architecture shares with itself at levels 0 to `level`, [n]."""
        total: NDArray[np.float64] = self.norms[_VARIANTS.index(variant), : level + 1].sum(0)
        return np.maximum(total, 1.0)  # an empty graph is like no other, itself among them


def kernel(a: Features, b: Features, level: int, variant: Variant = "dot") -> NDArray[np.float64]:
    """Compare two populations.

    Args:
        a: Features of n architectures.
        b: Features of m.
        level: The largest height of subtrees that count.
        variant: "dot" (the subtree kernel) or "assignment" (the optimal-assignment kernel: the sum
            of the lesser counts).

    Returns:
        Float array [n, m], between 0 and 1; 1 where all counts are equal. The sums are of whole
        numbers, so that it is exact, whatever the order of labels.
    """
    vocabulary = b.vocabulary(variant, level)
    other = b.own_counts(variant, level)
    one = other if a is b else a.counts(variant, level, vocabulary)
    shared: NDArray[np.float64] = (one @ other.T).toarray()
    sizes = a.squares(variant, level)[:, None] * b.squares(variant, level)[None, :]
    return shared / np.sqrt(sizes)


@dataclass(frozen=True)
class _Record:
    """The features of one architecture."""

    labels: Hashes
    norms: NDArray[np.float64]
    key: int


class WeisfeilerLehman:
    """Makes features, once an architecture.

    Every node starts with the label of its operation (and cell); at every level its new label
    stands for its old one together with the multiset of its successors' old labels.

    Args:
        space: Of the architectures.
        levels: The largest height of subtrees.
        direction: Whose labels are taken in.
        zeros: Whether graphs keep operations whose output is zero; see `structure_of`.
    """

    def __init__(
        self,
        space: SearchSpace,
        levels: int = 3,
        direction: Direction = "successors",
        zeros: bool = False,
    ) -> None:
        if levels < 0:
            raise NasError(f"levels={levels}: expected 0 or more")
        self.space, self.levels = space, levels
        self.direction, self.zeros = direction, zeros
        self._known: dict[tuple[int, ...], _Record] = {}

    def structure(self, architecture: Architecture) -> Structure:
        """Return the graph whose nodes are labelled."""
        return structure_of(self.space.graph(architecture), self.space.identity_ops, self.zeros)

    def features(self, architectures: Sequence[Architecture]) -> Features:
        """Return the features of a population.

        Raises:
            NasError: A graph has a cycle.
        """
        known = self._known
        new = {a.choices: a for a in architectures if a.choices not in known}
        if new:
            records = self._extract([self.structure(a) for a in new.values()])
            if len(known) + len(new) > _CACHED:
                needed = {a.choices for a in architectures}
                self._known = known = {c: r for c, r in known.items() if c in needed}
            known.update(zip(new, records, strict=True))
        return _stack([known[a.choices] for a in architectures], self.levels)

    def node_labels(self, structures: Sequence[Structure]) -> tuple[Hashes, NDArray[np.int64]]:
        """Return the labels [levels + 1, nodes] of all nodes, one graph after the other.

        Returns:
            The labels, and where every graph starts among the nodes, [n + 1].
        """
        sizes = [len(structure.labels) for structure in structures]
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        first = [_hash(label) for structure in structures for label in structure.labels]
        labels = np.empty((self.levels + 1, len(first)), np.uint64)
        labels[0] = first
        sources, targets = _edges(structures, starts)
        for level in range(self.levels):
            old = labels[level]
            taken = np.zeros(len(first), np.uint64)
            if self.direction != "predecessors":
                np.add.at(taken, sources, _mix(old ^ _AFTER)[targets])
            if self.direction != "successors":
                np.add.at(taken, targets, _mix(old ^ _BEFORE)[sources])
            labels[level + 1] = _mix(_mix(old + np.uint64(level)) * _ODD + taken)
        return labels, starts

    def _extract(self, structures: Sequence[Structure]) -> list[_Record]:
        labels, starts = self.node_labels(structures)
        sizes = np.diff(starts)
        owners = np.repeat(np.arange(len(structures)), sizes)
        ranks = np.stack([_ranks(owners, row) for row in labels])
        both = np.stack([labels, _mix(labels + _mix(ranks.astype(np.uint64)))])
        norms = np.zeros((2, len(labels), len(structures)))
        for level, row in enumerate(ranks):  # c^2 = 1 + 3 + ... + (2c - 1)
            norms[0, level] = np.bincount(owners, 2 * row + 1, len(structures))
            norms[1, level] = sizes
        sums = np.zeros(len(structures), np.uint64)
        np.add.at(sums, owners, _mix(labels[-1]))  # the last level tells all others
        cuts = zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)
        return [
            _Record(both[:, :, start:end], norms[:, :, i], key)
            for i, ((start, end), key) in enumerate(zip(cuts, sums.tolist(), strict=True))
        ]


def _stack(records: Sequence[_Record], levels: int) -> Features:
    if not records:
        empty = np.zeros((2, levels + 1, 0))
        nodes = np.zeros(0, np.int64)
        return Features(nodes, empty.astype(np.uint64), empty, nodes.astype(np.uint64))
    sizes = [record.labels.shape[2] for record in records]
    return Features(
        np.repeat(np.arange(len(records)), sizes),
        np.concatenate([record.labels for record in records], axis=2),
        np.stack([record.norms for record in records], axis=2),
        np.array([record.key for record in records], np.uint64),
    )


def _edges(
    structures: Sequence[Structure], starts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the ends of all edges as places among the nodes of all graphs."""
    sources: list[int] = []
    targets: list[int] = []
    for structure, start in zip(structures, starts.tolist(), strict=False):
        for node, after in enumerate(structure.successors, start=start):
            for target in after:
                sources.append(node)
                targets.append(start + target)
    return np.array(sources, np.int64), np.array(targets, np.int64)


def _ranks(owners: NDArray[np.int64], labels: Hashes) -> NDArray[np.int64]:
    """Number the nodes of the same owner and label from 0."""
    order = np.lexsort((labels, owners))
    o, x = owners[order], labels[order]
    places = np.arange(len(order))
    begins = np.ones(len(order), np.bool_)
    begins[1:] = (o[1:] != o[:-1]) | (x[1:] != x[:-1])
    ranks = np.empty(len(order), np.int64)
    ranks[order] = places - np.maximum.accumulate(np.where(begins, places, 0))
    return ranks


# -- labels as 64-bit numbers: the same in every process, equal by chance for one pair in 2^64 ----

_ODD = np.uint64(0x9E3779B97F4A7C15)
_AFTER = np.uint64(0x6A09E667F3BCC908)
_BEFORE = np.uint64(0xBB67AE8584CAA73B)


@cache
def _hash(label: Label) -> int:
    return int.from_bytes(blake2b("\0".join(label).encode(), digest_size=8).digest(), "little")


def _mix(x: Hashes) -> Hashes:
    """Scramble 64-bit numbers, one to one (the finaliser of SplitMix64, Steele et al. 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Hashes = x ^ (x >> np.uint64(31))
    return mixed
