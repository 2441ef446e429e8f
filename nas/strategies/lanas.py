"""LaNAS: Monte-Carlo tree search over regions that linear models have split into good and bad.

Source: Wang et al., Sample-Efficient Neural Architecture Search by Learning Action Space,
arXiv:1906.06832 (TPAMI 2021).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas import registry
from nas.objective import Measurement, Objective
from nas.settings import require_ranges, setting
from nas.space import Architecture, Choices, SearchSpace
from nas.strategies.seen import Seen
from nas.strategies.strategy import Strategy
from nas.strategies.variation import mutated

__all__ = ["LaNAS", "LaNASSettings", "RegionTree"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass
class LaNASSettings:
    """Settings of LaNAS.

    The tree, its first samples and its refits are the reference's, whose Cp is 0.1. Of 0, 0.02,
    0.05, 0.1 and 0.5, for scores that are brought to 0 to 1, 0.02 and 0.05 found the best of 150
    on NAS-Bench-Graph, NAS-Bench-201 and a synthetic space. Mutants help everywhere.
    """

    initial: int = setting(10, "random architectures before the first tree is learned")
    refit: int = setting(20, "results after which the tree is learned anew")
    height: int = setting(5, "levels of the tree, root and leaves included")
    exploration: float = setting(0.05, "Cp of UCT; scores lie between 0 and 1")
    ridge: float = setting(1.0, "penalty of the linear models")
    draws: int = setting(100, "random architectures to find members of a leaf among")
    mutants: int = setting(100, "mutations of known members of a leaf to find more among")

    def __post_init__(self) -> None:
        ranges = {
            "initial": (self.initial >= 2, "at least 2"),
            "refit": (self.refit >= 1, "at least 1"),
            "height": (1 <= self.height <= 12, "1 to 12"),
            "exploration": (0 <= self.exploration < math.inf, "at least 0"),
            "ridge": (0 < self.ridge < math.inf, "above 0"),
            "draws": (self.draws >= 1, "at least 1"),
            "mutants": (self.mutants >= 0, "at least 0"),
        }
        require_ranges(self, "strategy", ranges)


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

    def _nodes(self, encodings: Floats) -> Ints:
        """Return all nodes that architectures are in, each once an architecture: [any number]."""
        paths = self.paths(encodings)
        repeated = np.zeros(paths.shape, dtype=np.bool_)
        repeated[:, 1:] = paths[:, 1:] == paths[:, :-1]
        return paths[~repeated]

    def visit(self, encodings: Floats) -> None:
        """Note that architectures [n, d] are evaluated."""
        np.add.at(self.visits, self._nodes(encodings), 1.0)

    def count(self, encodings: Floats, scores: Floats) -> None:
        """Note the scores [n] of architectures [n, d] in all nodes that they are in."""
        for encoding, score in zip(encodings, scores.tolist(), strict=True):
            nodes = self._nodes(encoding[None])
            self.counts[nodes] += 1.0
            self.sums[nodes] += score

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


@registry.register(
    "strategies",
    "lanas",
    "Monte-Carlo tree search over regions learned by linear models",
    "Wang et al., Sample-Efficient Neural Architecture Search by Learning Action Space, "
    "arXiv:1906.06832",
)
class LaNAS(Strategy):
    """Select a leaf by UCT, propose an unseen architecture in its region, learn the tree anew.

    The models are ridge regressions in closed form on one-hot encodings, where the reference
    trains by Adam. Scores are brought to 0 (the worst, and failures) to 1 (the best) when the tree
    is learned, so that `exploration` means the same for every metric.
    """

    Settings = LaNASSettings
    settings: LaNASSettings

    def __init__(
        self,
        space: SearchSpace,
        objective: Objective,
        seed: int = 0,
        settings: LaNASSettings | None = None,
    ) -> None:
        super().__init__(space, objective, seed, settings or LaNASSettings())
        self.seen = Seen(space)
        self.scores: dict[tuple[int, ...], float] = {}  # of what was told
        self.awaited: set[tuple[int, ...]] = set()
        self.tree = RegionTree(self.settings.height, sum(space.cardinalities))
        self.fitted = 0  # results that the tree was learned from
        self.range = (0.0, 1.0)  # scores that count as 0 and 1

    # -- ask ----------------------------------------------------------------------------------

    def ask(self, n: int) -> list[Architecture]:
        rows = np.concatenate([self._propose() for _ in range(n)])
        return self.space.from_array(rows)

    def _propose(self) -> Choices:
        """Return one row [1, d]."""
        row = self._from_leaf() if self.fitted else self.seen.sample(self.rng, 1)
        self.seen.add(row)
        self.awaited.add(tuple(row[0].tolist()))
        self.tree.visit(self.space.encode_choices(row))
        return row

    def _from_leaf(self) -> Choices:
        """Return an unseen architecture that is in the selected leaf, or agrees with it longest."""
        path = self.tree.select(self.settings.exploration, self.rng)
        rows = self._candidates(path)
        agreed = (self.tree.paths(self.space.encode_choices(rows)) == path).sum(1)
        order = np.lexsort((self.rng.random(len(rows)), -agreed))
        for at in order.tolist():
            row: Choices = rows[at : at + 1]
            if not self.seen.known(row)[0]:
                return row
        return self.seen.sample(self.rng, 1)

    def _candidates(self, path: Ints) -> Choices:
        """Return random architectures and mutations of known ones in the leaf."""
        rows = self.space.sample_choices(self.rng, self.settings.draws)
        known = np.array(list(self.scores), dtype=np.int64)
        members = known[self.tree.paths(self.space.encode_choices(known))[:, -1] == path[-1]]
        if not len(members) or not self.settings.mutants:
            return rows
        parents = members[self.rng.integers(0, len(members), self.settings.mutants)]
        return np.concatenate([rows, mutated(self.space, parents, self.rng)])

    # -- tell ---------------------------------------------------------------------------------

    def tell(self, results: Sequence[tuple[Architecture, Measurement]]) -> None:
        for architecture, measurement in results:
            choices = architecture.choices
            if choices in self.scores:
                continue
            row = self.space.to_array([architecture])
            self.seen.add(row)
            self.scores[choices] = float(self.objective.score(measurement))
            self._count(row, choices)
            due = self.settings.refit if self.fitted else self.settings.initial
            if len(self.scores) - self.fitted >= due:
                self._fit()

    def _count(self, row: Choices, choices: tuple[int, ...]) -> None:
        encoding = self.space.encode_choices(row)
        if choices in self.awaited:
            self.awaited.remove(choices)
        else:
            self.tree.visit(encoding)
        self.tree.count(encoding, self._scaled([self.scores[choices]]))

    def _scaled(self, scores: Sequence[float]) -> Floats:
        """Bring scores to 0 to 1; what is worse than all before, or a failure, is 0."""
        low, high = self.range
        scaled: Floats = np.clip((np.array(scores) - low) / (high - low), 0.0, 1.0)
        return scaled

    def _fit(self) -> None:
        finite = [score for score in self.scores.values() if score > -math.inf]
        if len(set(finite)) < 2:
            return  # nothing to tell apart yet
        self.fitted = len(self.scores)
        self.range = (min(finite), max(finite))
        encodings = self.space.encode_choices(np.array(list(self.scores), dtype=np.int64))
        self.tree.fit(encodings, self._scaled(list(self.scores.values())), self.settings.ridge)
        if self.awaited:
            awaited = np.array(sorted(self.awaited), dtype=np.int64)
            self.tree.visit(self.space.encode_choices(awaited))

    # -- state --------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "seen": self.seen.state_dict(),
            "told": [list(choices) for choices in self.scores],
            "scores": list(self.scores.values()),
            "awaited": sorted(list(choices) for choices in self.awaited),
            "tree": self.tree.state_dict(),
            "fitted": self.fitted,
            "range": list(self.range),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.seen.load_state_dict(state["seen"])
        self.scores = dict(zip(map(tuple, state["told"]), state["scores"], strict=True))
        self.awaited = set(map(tuple, state["awaited"]))
        self.tree.load_state_dict(state["tree"])
        self.fitted = state["fitted"]
        low, high = state["range"]
        self.range = (low, high)
