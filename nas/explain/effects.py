"""How much each sub-structure raises or lowers what is predicted.

Source: Ru et al., NAS-BOWL, ICLR 2021, arXiv:2006.07556, sec. 3.2, eq. 3.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.explain.motifs import Motif, motif_of
from nas.kernels import WLGaussianProcess

__all__ = ["Effect", "effects_of"]

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Effect:
    """What one sub-structure does, in the unit of the scores.

    Args:
        motif: The sub-structure.
        change: What one more of it adds to the predicted score: the expected derivatives by the
            counts of all labels that are there with it, added up.
        own: The expected derivative by the count of its own label alone.
        spread: Standard deviation of `change` over the architectures that have it.
        count: How many architectures have it.
        occurrences: How often they have it, in all.
        with_it: Mean score of the architectures that have it.
        without: Mean score of the others; NaN where there are none.
    """

    motif: Motif
    change: float
    own: float
    spread: float
    count: int
    occurrences: int
    with_it: float
    without: float


def effects_of(model: WLGaussianProcess, min_count: int) -> list[Effect]:
    """Return the effect of every sub-structure that a fitted model knows, the best first.

    The derivative of the predicted mean by a count, (dk/dphi) K^-1 y, is averaged over the
    observed architectures that have the sub-structure. No count can change alone: with its label
    come the labels of lower levels of its first node, and those of the nodes after it; theirs are
    added. Of nodes that every architecture has equally often, such as the input, there cannot be
    one more: theirs is compared with the mean over all of them. Labels that the same nodes have
    are told once, as the lowest.

    Args:
        model: With the kernel "dot".
        min_count: In how many architectures a sub-structure must be.
    """
    nodes = _Nodes(model)
    found: dict[int, Effect] = {}
    told_as: dict[int, int] = {}
    for level, columns in enumerate(nodes.columns):
        for column in np.unique(columns).tolist():
            have = np.flatnonzero(columns == column)
            lower = told_as.get(int(nodes.columns[level - 1, have[0]])) if level else None
            same = lower is not None and nodes.total[lower] == len(have)
            name = lower if lower is not None and same else column
            told_as[column] = name
            if (effect := nodes.effect(level, have, found.get(name), min_count)) is not None:
                found[name] = effect
    return sorted(found.values(), key=lambda effect: (-effect.change, effect.motif.text))


class _Nodes:
    """All nodes of the observed architectures, and what their labels do, standardised.

    The kernel is <a, b> / (|a| |b|), hence dk(a, b)/da = b / (|a| |b|) - k(a, b) a / |a|^2.
    """

    def __init__(self, model: WLGaussianProcess) -> None:
        self.model, self.owners = model, model.features.owners
        level = model.chosen.level
        labels = model.features.labels[0, : level + 1]
        _, columns = np.unique(labels.ravel(), return_inverse=True)
        self.columns = columns.reshape(labels.shape)
        """The label of every node at every level, [levels + 1, nodes]."""
        self.total = np.bincount(self.columns.ravel()).tolist()
        counts: Any = model.features.own_counts("dot", level)
        sizes = np.sqrt(model.features.squares("dot", level))
        pull = counts.T @ (model.weights / sizes)
        standard = (model.targets - model.mean) / model.std
        mean = standard - model.chosen.noise * model.weights
        self.slopes = np.empty(labels.shape)
        """The derivative by the count of the node's label, where the node is."""
        for row, at in zip(self.slopes, self.columns, strict=True):
            numbers = np.asarray(counts[self.owners, at]).ravel()
            row[:] = pull[at] / sizes[self.owners] - numbers * (mean / sizes**2)[self.owners]
        self.fixed = np.zeros(len(self.owners), np.bool_)
        """Of every node, whether all architectures have as many with its operation."""
        alone = np.cumsum(self.slopes, axis=0)
        for column in np.unique(self.columns[0]).tolist():
            if np.ptp(counts[:, [column]].toarray()) == 0:
                where = self.columns[0] == column
                self.fixed |= where
                alone[:, where] -= alone[:, where].mean(1, keepdims=True)
        self.changes = self._with_what_follows(alone)
        """What the node's label does, with all that is there with it, [levels + 1, nodes]."""

    def _with_what_follows(self, alone: Vector) -> Vector:
        """Add to every node, at every level, the nodes after it, at the level that is left."""
        changes: Vector = alone.copy()
        start = 0
        for architecture in self.model.architectures:
            successors = self.model.wl.structure(architecture).successors
            for node in range(len(successors)):
                for level in range(1, len(alone)):
                    reached, last = {node}, {node}
                    for left in range(level - 1, -1, -1):
                        last = {n for before in last for n in successors[before]} - reached
                        reached |= last
                        for after in last:
                            changes[level, start + node] += alone[left, start + after]
            start += len(successors)
        return changes

    def effect(
        self, level: int, have: NDArray[np.int64], lower: Effect | None, min_count: int
    ) -> Effect | None:
        """Return what the nodes that have a label do; None where it cannot be told.

        Args:
            level: Of the label.
            have: The nodes.
            lower: What was told of the same nodes at lower levels.
            min_count: In how many architectures they must be.
        """
        model = self.model
        rows, first = np.unique(self.owners[have], return_index=True)
        whole = self.total[self.columns[0, have[0]]] == len(have)
        if len(rows) < min_count or (whole and self.fixed[have[0]]):
            return None
        changes = self.changes[level, have[first]]
        others = np.delete(model.targets, rows)
        return Effect(
            lower.motif if lower else self._motif(level, int(have[0])),
            change=model.std * float(changes.mean()),
            own=model.std * float(self.slopes[level, have[first]].mean())
            + (lower.own if lower else 0.0),
            spread=model.std * float(changes.std()),
            count=len(rows),
            occurrences=len(have),
            with_it=float(model.targets[rows].mean()),
            without=float(others.mean()) if len(others) else float("nan"),
        )

    def _motif(self, level: int, node: int) -> Motif:
        owner = int(self.owners[node])
        start = int(np.searchsorted(self.owners, owner))
        structure = self.model.wl.structure(self.model.architectures[owner])
        return motif_of(structure, node - start, level)
