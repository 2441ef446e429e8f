"""A binary tree of regions of a space, each split by a linear model into better and worse.

Source: Wang et al., Sample-Efficient Neural Architecture Search by Learning Action Space,
arXiv:1906.06832 (TPAMI 2021), sec. 3.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["RegionTree"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class RegionTree:
    """A full binary tree: every inner node splits its region at the mean prediction of a model.

    Nodes are numbered as in a heap: 0 is the root, 2i+1 the better child of i, 2i+2 the worse. A
    node whose model predicts the same for all its samples stays whole: it is a leaf.

    Args:
        height: Levels, root and leaves included.
        features: Length d of the encodings.
    """

    def __init__(self, height: int, features: int) -> None:
        self.height = height
        nodes = 2**height - 1
        self.weights = np.zeros((nodes, features))
        self.thresholds = np.zeros(nodes)
        self.split = np.zeros(nodes, dtype=np.bool_)
        self.visits = np.zeros(nodes)  # those on their way included
        self.counts = np.zeros(nodes)
        self.sums = np.zeros(nodes)

    # -- learning -----------------------------------------------------------------------------

    def fit(self, encodings: Floats, scores: Floats, ridge: float) -> None:
        """Learn all splits from samples, and count these.

        Args:
            encodings: [n, d].
            scores: [n], larger is better.
            ridge: Penalty of the weights.
        """
        self.split[:] = False
        for numbers in (self.visits, self.counts, self.sums):
            numbers[:] = 0.0
        at = np.zeros(len(scores), dtype=np.int64)
        for node in range(2 ** (self.height - 1) - 1):
            self._fit_node(node, encodings[at == node], scores[at == node], ridge)
            at = np.where(at == node, self._next(at, encodings), at)
        self.count(encodings, scores)
        self.visit(encodings)

    def _fit_node(self, node: int, encodings: Floats, scores: Floats, ridge: float) -> None:
        if len(scores) < 2:
            return
        centred = encodings - encodings.mean(0)
        gram = centred.T @ centred + ridge * np.eye(centred.shape[1])
        weights = np.linalg.solve(gram, centred.T @ (scores - scores.mean()))
        predictions = encodings @ weights
        threshold = predictions.mean()
        better = predictions > threshold
        # Rounding may split what is predicted the same; that is no region worth a node.
        if 0 < better.sum() < len(better) and np.ptp(predictions) > 1e-9:
            self.weights[node], self.thresholds[node] = weights, threshold
            self.split[node] = True

    # -- where architectures are --------------------------------------------------------------

    def _next(self, at: Ints, encodings: Floats) -> Ints:
        """Return the nodes one level down, for architectures that are in nodes `at` [n]."""
        predictions = np.einsum("nd,nd->n", encodings, self.weights[at])
        down = np.where(predictions > self.thresholds[at], 2 * at + 1, 2 * at + 2)
        return np.where(self.split[at], down, at)

    def paths(self, encodings: Floats) -> Ints:
        """Return the nodes from the root to the leaf, [n, height]; a leaf above is repeated."""
        path = [np.zeros(len(encodings), dtype=np.int64)]
        for _ in range(self.height - 1):
            path.append(self._next(path[-1], encodings))
        return np.stack(path, axis=1)

    def _nodes(self, encodings: Floats) -> tuple[Ints, Ints]:
        """Return all nodes that architectures are in, each once an architecture, and of which."""
        paths = self.paths(encodings)
        first = np.ones(paths.shape, dtype=np.bool_)
        first[:, 1:] = paths[:, 1:] != paths[:, :-1]
        return paths[first], np.nonzero(first)[0]

    def visit(self, encodings: Floats) -> None:
        """Note that architectures [n, d] are evaluated."""
        np.add.at(self.visits, self._nodes(encodings)[0], 1.0)

    def count(self, encodings: Floats, scores: Floats) -> None:
        """Note the scores [n] of architectures [n, d] in all nodes that they are in."""
        nodes, owners = self._nodes(encodings)
        np.add.at(self.counts, nodes, 1.0)
        np.add.at(self.sums, nodes, scores[owners])

    def correct(self, encoding: Floats, change: float) -> None:
        """Change the score of an architecture [1, d] that was counted."""
        if change:
            self.sums[self._nodes(encoding)[0]] += change

    # -- selection ----------------------------------------------------------------------------

    def select(self, exploration: float, rng: np.random.Generator) -> Ints:
        """Walk down to the child with the largest UCT; return the path [height].

        UCT is the mean score + 2 Cp sqrt(2 ln(visits of the parent) / visits).
        """
        path = [0]
        for _ in range(self.height - 1):
            node = path[-1]
            if self.split[node]:
                values = [
                    self._uct(child, node, exploration) for child in (2 * node + 1, 2 * node + 2)
                ]
                tied = values[0] == values[1]
                worse = rng.random() < 0.5 if tied else values[1] > values[0]
                node = 2 * node + 1 + int(worse)
            path.append(node)
        return np.array(path)

    def _uct(self, node: int, parent: int, exploration: float) -> float:
        mean = self.sums[node] / self.counts[node]  # a split leaves samples on both sides
        spread = 2.0 * math.log(self.visits[parent]) / self.visits[node]
        return float(mean + 2.0 * exploration * math.sqrt(spread))

    # -- state --------------------------------------------------------------------------------

    _arrays = ("weights", "thresholds", "split", "visits", "counts", "sums")

    def state_dict(self) -> dict[str, Any]:
        """Return all numbers as lists."""
        return {name: getattr(self, name).tolist() for name in self._arrays}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        for name in self._arrays:
            getattr(self, name)[:] = state[name]
