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
from nas.strategies.budgets import share_of_budget, under_limits
from nas.strategies.region_tree import RegionTree
from nas.strategies.seen import Seen
from nas.strategies.strategy import Strategy
from nas.strategies.unit_scores import UnitScores
from nas.strategies.variation import mutated

__all__ = ["LaNAS", "LaNASSettings"]

Row = tuple[int, ...]


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


@registry.register(
    "strategies",
    "lanas",
    "Monte-Carlo tree search over regions learned by linear models",
    "Wang et al., Sample-Efficient Neural Architecture Search by Learning Action Space, "
    "arXiv:1906.06832",
    differs="Regressions are ridges in closed form, scores are brought to 0 to 1 with Cp 0.05, and "
    "half of the candidates are mutants of a leaf's members, where the paper only samples the "
    "region: `mutants=0 exploration=0.1` is nearest to it.",
)
class LaNAS(Strategy):
    """Select a leaf by UCT, propose an unseen architecture in its region, learn the tree anew.

    The models are ridge regressions in closed form on one-hot encodings, where the reference
    trains by Adam. Scores are brought to 0 (the worst, and failures) to 1 (the best) when the tree
    is learned (`UnitScores`), so that `exploration` means the same for every metric.
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
        self.scores: dict[Row, float] = {}  # of what was told
        self.awaited: set[Row] = set()
        self.tree = RegionTree(self.settings.height, sum(space.cardinalities))
        self.fitted = 0  # results that the tree was learned from
        self.scale = UnitScores()  # of the scores when the tree was learned
        self._members: dict[int, list[Row]] = {}  # leaf -> what was told of it

    # -- the budget ---------------------------------------------------------------------------

    @classmethod
    def defaults(cls, evaluations: int) -> dict[str, Any]:
        return {
            "initial": share_of_budget(evaluations, 8, 10, least=2),
            "refit": share_of_budget(evaluations, 7, 20),
        }

    @classmethod
    def initial_evaluations(cls, settings: Any) -> int:
        return int(settings.initial)

    # -- ask ----------------------------------------------------------------------------------

    def ask(self, n: int) -> list[Architecture]:
        rows = np.concatenate([self._propose() for _ in range(n)])
        return self.space.from_array(rows)

    def _propose(self) -> Choices:
        """Return one row [1, d]."""
        row = self._from_leaf() if self.fitted else self.seen.sample(self.rng, 1)
        self.seen.add(row)
        choices = tuple(row[0].tolist())
        if choices not in self.scores and choices not in self.awaited:
            self.awaited.add(choices)
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

    def _candidates(self, path: NDArray[np.int64]) -> Choices:
        """Return random architectures and mutations of known ones in the leaf."""
        rows = self.space.sample_choices(self.rng, self.settings.draws)
        members = self._members.get(int(path[-1]), [])
        if not members or not self.settings.mutants:
            return rows
        drawn = self.rng.integers(0, len(members), self.settings.mutants).tolist()
        parents = np.array([members[i] for i in drawn], dtype=np.int64)
        return np.concatenate([rows, mutated(self.space, parents, self.rng)])

    # -- tell ---------------------------------------------------------------------------------

    def tell(self, results: Sequence[tuple[Architecture, Measurement]]) -> None:
        for architecture, measurement in results:
            choices, score = architecture.choices, float(self.objective.score(measurement))
            before = self.scores.get(choices)
            self.scores[choices] = score
            encoding = self.space.encode([architecture])
            if before is not None:
                change = self.scale([score]) - self.scale([before])
                self.tree.correct(encoding, float(change[0]))
                continue
            self.seen.add(self.space.to_array([architecture]))
            self._count(encoding, choices)
            due = self.settings.refit if self.fitted else self.settings.initial
            if self.objective.limits:
                due = under_limits(due, self.scores.values())
            if len(self.scores) - self.fitted >= due:
                self._fit()

    def _count(self, encoding: NDArray[np.float64], choices: Row) -> None:
        if choices in self.awaited:
            self.awaited.remove(choices)
        else:
            self.tree.visit(encoding)
        self.tree.count(encoding, self.scale([self.scores[choices]]))
        self._sort([choices], encoding)

    def _fit(self) -> None:
        measured = [score for score in self.scores.values() if score > -math.inf]
        if len(set(measured)) < 2:
            return  # nothing to tell apart yet
        self.fitted = len(self.scores)
        self.scale.fit(measured)
        encodings = self.space.encode_choices(np.array(list(self.scores), dtype=np.int64))
        self.tree.fit(encodings, self.scale(list(self.scores.values())), self.settings.ridge)
        self._members = {}
        self._sort(list(self.scores), encodings)
        if self.awaited:
            awaited = np.array(sorted(self.awaited), dtype=np.int64)
            self.tree.visit(self.space.encode_choices(awaited))

    def _sort(self, told: Sequence[Row], encodings: NDArray[np.float64]) -> None:
        """Note the leaves of what was told, so that no proposal has to look for them again."""
        leaves = self.tree.paths(encodings)[:, -1].tolist()
        for choices, leaf in zip(told, leaves, strict=True):
            self._members.setdefault(leaf, []).append(choices)

    # -- state --------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "seen": self.seen.state_dict(),
            "told": [list(choices) for choices in self.scores],
            "scores": list(self.scores.values()),
            "awaited": sorted(list(choices) for choices in self.awaited),
            "tree": self.tree.state_dict(),
            "fitted": self.fitted,
            **self.scale.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.seen.load_state_dict(state["seen"])
        self.scores = dict(zip(map(tuple, state["told"]), state["scores"], strict=True))
        self.awaited = set(map(tuple, state["awaited"])) - self.scores.keys()
        self.tree.load_state_dict(state["tree"])
        self.fitted = state["fitted"]
        self.scale.load_state_dict(state)
        self._members = {}
        if self.scores:
            self._sort(list(self.scores), self.space.encode_choices(np.array(list(self.scores))))
