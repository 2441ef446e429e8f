"""BANANAS: an ensemble of networks on path encodings, and independent Thompson sampling.

Source: White, Neiswanger & Savani, BANANAS: Bayesian Optimization with Neural Architectures for
Neural Architecture Search, AAAI 2021, arXiv:1910.11858, algorithm 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from nas import registry
from nas.objective import Objective
from nas.predictors import PathEncoding, Predictor
from nas.settings import require_ranges, setting
from nas.space import Choices, SearchSpace
from nas.strategies.batches import BatchStrategy
from nas.strategies.budgets import share_of_budget
from nas.strategies.unit_scores import UnitScores
from nas.strategies.variation import mutated

__all__ = ["BANANAS", "BANANASSettings"]

_TRIES = 5  # mutations for each candidate that is wanted


@dataclass
class BANANASSettings:
    """Settings of BANANAS, by default the authors'."""

    initial: int = setting(10, "random architectures before the first ensemble")
    batch: int = setting(10, "architectures evaluated between two fits")
    candidates: int = setting(100, "mutations of the best, of which the batch is taken")
    parents: int = setting(10, "how many of the best are mutated")

    def __post_init__(self) -> None:
        ranges = {n: (getattr(self, n) >= 1, "at least 1") for n in ("batch", "parents")}
        ranges["initial"] = (self.initial >= 2, "at least 2")
        ranges["candidates"] = (self.candidates >= self.batch, "at least as many as the batch")
        require_ranges(self, "strategy", ranges)


@registry.register(
    "strategies",
    "bananas",
    "an ensemble of networks on path encodings, with independent Thompson sampling (BANANAS)",
    "White et al., BANANAS: Bayesian Optimization with Neural Architectures for Neural "
    "Architecture Search, AAAI 2021, arXiv:1910.11858",
    differs="The loss is the mean absolute error of standardised scores, as in the authors' code, "
    "where the paper has a percentage error; the 500 likeliest paths are inputs. Where paths say "
    "little (chains), inputs are one-hot. With fewer than 150 evaluations batches are smaller "
    "(`batch=10`).",
)
class BANANAS(BatchStrategy):
    """A batch is what one draw of the ensemble's prediction of each candidate ranks best.

    Candidates are mutations of the best known. The ensemble is that of the predictor `mlp`; where
    paths say little of an architecture, its inputs are one-hot (see `PathEncoding`). What breaks a
    limit is learned as worse than all that does not, and the worse the more it does.
    """

    Settings = BANANASSettings
    settings: BANANASSettings

    def __init__(
        self, space: SearchSpace, objective: Objective, seed: int = 0, settings: Any = None
    ) -> None:
        super().__init__(space, objective, seed, settings or BANANASSettings())

    @cached_property
    def encoding(self) -> PathEncoding:
        """The path encoding; made when it is needed, for it looks at some random architectures."""
        return PathEncoding(self.space)

    # -- the budget ---------------------------------------------------------------------------

    @classmethod
    def defaults(cls, evaluations: int) -> dict[str, Any]:
        return {
            "initial": share_of_budget(evaluations, 5, 10, least=2),
            "batch": share_of_budget(evaluations, 15, 10),
        }

    @classmethod
    def initial_evaluations(cls, settings: Any) -> int:
        return int(settings.initial)

    # -- batches ------------------------------------------------------------------------------

    def next_batch(self) -> Choices:
        rows = self._batch() if self._learnable() else self.seen.sample(self.rng, 1)
        self.seen.add(rows)
        return rows

    def _learnable(self) -> bool:
        measured = sum(score > -math.inf for score in self.scores.values())
        return len(self.scores) >= self.settings.initial and measured >= 2

    def _batch(self) -> Choices:
        """Return the next batch [at most batch, d], the best draw first."""
        candidates = self._candidates()
        if len(candidates) < self.settings.batch:  # hardly anything new is near the best
            more = self.seen.sample(self.rng, self.settings.batch)
            candidates = np.concatenate([candidates, more])
            candidates = candidates[np.unique(candidates, axis=0, return_index=True)[1]]
        mean, std = self._ensemble().predict(self.space.from_array(candidates))
        drawn = mean + std * self.rng.standard_normal(len(mean))
        return candidates[np.argsort(-drawn, kind="stable")[: self.settings.batch]]

    def _ensemble(self) -> Predictor:
        from nas.predictors import PathEnsemble  # which needs torch

        scale, scores = UnitScores(), list(self.scores.values())
        scale.fit(scores)
        known = self.space.from_array(np.array(list(self.scores), dtype=np.int64))
        seed = int(self.rng.integers(2**31))
        return PathEnsemble(self.space, seed, self.encoding).fit(known, scale(scores))

    def _candidates(self) -> Choices:
        """Return new mutations of the best, each once, [at most candidates, d]."""
        s = self.settings
        scores = np.array(list(self.scores.values()))
        best = np.argsort(-scores, kind="stable")[: s.parents]
        parents = np.array(list(self.scores), dtype=np.int64)[best[scores[best] > -np.inf]]
        found = parents[:0]
        for _ in range(_TRIES):
            rows = mutated(
                self.space, np.resize(parents, (s.candidates, parents.shape[1])), self.rng
            )
            found = self.seen.new(np.concatenate([found, rows]))
            if len(found) >= s.candidates:
                break
        return found[: s.candidates]
