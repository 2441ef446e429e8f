"""Architectures as the set of paths from input to output of their graphs.

Source: White, Neiswanger & Savani, BANANAS, AAAI 2021, arXiv:1910.11858, sec. 4 and 5.1
(truncation: the least likely paths of random architectures are left out).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from nas.errors import NasError
from nas.kernels import Label, Structure, structure_of
from nas.predictors.predictor import Array
from nas.space import Architecture, SearchSpace

__all__ = ["PathEncoding", "paths_of"]

Path = tuple[Label, ...]
_SAMPLE = 200  # random architectures whose paths are counted
_MOST = 1000  # paths of one architecture
_SHARED = 0.5  # least share of paths that more than one of the sample has


def paths_of(structure: Structure, most: int = _MOST) -> set[Path] | None:
    """Return all ways from a node that nothing feeds to one that feeds nothing, by labels.

    Args:
        structure: What is computed; its first and last nodes (inputs, outputs) are in all paths.
        most: With more different paths the answer is None.
    """
    fed = {target for after in structure.successors for target in after}
    found: dict[int, set[Path]] = {}

    def from_node(node: int) -> set[Path]:
        """Return the paths from a node on, each once."""
        if node not in found:
            label = structure.labels[node]
            after = structure.successors[node]
            rest = set().union(*map(from_node, after)) if after else {()}
            found[node] = {(label, *path) for path in rest}
            if len(found[node]) > most:
                raise OverflowError
        return found[node]

    try:
        starts = (node for node in range(len(structure.labels)) if node not in fed)
        paths = set().union(*map(from_node, starts))
    except OverflowError:
        return None
    return paths if len(paths) <= most else None


class PathEncoding:
    """One number a path: whether an architecture has it.

    Paths are the `width` most frequent ones of random architectures (of equals the shorter one).
    Where they say little of an architecture the encoding is one-hot instead: where most paths of
    random architectures are of one of them only (as in a chain of many blocks, which is one long
    path), where one has more than a thousand, and where the space draws no acyclic graph.

    Args:
        space: Of the architectures.
        width: Most paths.
    """

    def __init__(self, space: SearchSpace, width: int = 500) -> None:
        self.space = space
        self._known: dict[tuple[int, ...], Array] = {}
        self.paths: dict[Path, int] | None = self._frequent(width)
        """Path -> its place; None: the encoding is one-hot."""

    def _frequent(self, width: int) -> dict[Path, int] | None:
        sample = dict.fromkeys(self.space.sample(np.random.default_rng(0), _SAMPLE))
        counts: Counter[Path] = Counter()
        for architecture in sample:
            paths = self._paths(architecture)
            if paths is None:
                return None
            counts.update(paths)
        shared = sum(n for n in counts.values() if n > 1)
        if not counts or shared < _SHARED * sum(counts.values()):
            return None
        order = sorted(counts, key=lambda path: (-counts[path], len(path), path))
        return {path: place for place, path in enumerate(order[:width])}

    def _paths(self, architecture: Architecture) -> set[Path] | None:
        try:
            return paths_of(structure_of(self.space.graph(architecture)))
        except (NasError, NotImplementedError):
            return None

    def encode(self, architectures: Sequence[Architecture]) -> Array:
        """Return the encoding of a population, [n, paths or one-hot]."""
        if self.paths is None:
            return self.space.encode(architectures)
        rows = [self._row(architecture) for architecture in architectures]
        return np.array(rows).reshape(len(rows), len(self.paths))

    def _row(self, architecture: Architecture) -> Array:
        assert self.paths is not None
        row = self._known.get(architecture.choices)
        if row is None:
            row = np.zeros(len(self.paths))
            known = (self.paths.get(path) for path in self._paths(architecture) or ())
            row[[place for place in known if place is not None]] = 1.0
            self._known[architecture.choices] = row
        return row
