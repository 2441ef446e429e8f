"""Regularised evolution as its authors ran it.

Source: Real et al., Regularized Evolution for Image Classifier Architecture Search, AAAI 2019,
arXiv:1802.01548, algorithm 1, sec. 4; the authors' published program.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nas import registry
from nas.errors import NasError
from nas.objective import Objective
from nas.settings import require_ranges, setting
from nas.space import Architecture, SearchSpace
from nas.strategies.evolution import EvolutionSettings, RegularizedEvolution
from nas.strategies.strategy import Strategy

__all__ = ["AgingEvolution", "AgingEvolutionSettings"]


@dataclass
class AgingEvolutionSettings:
    """Settings of ageing evolution, by default the paper's."""

    population: int = setting(100, "members; as many random architectures come first")
    sample: int = setting(25, "members drawn, of which the best is the parent")

    def __post_init__(self) -> None:
        names = ("population", "sample")
        require_ranges(self, "strategy", {n: (getattr(self, n) >= 1, "at least 1") for n in names})


@registry.register(
    "strategies",
    "aging-evolution",
    "regularised evolution at the authors' settings: population 100, any mutation is a child",
    "Real et al., Regularized Evolution for Image Classifier Architecture Search, AAAI 2019, "
    "arXiv:1802.01548",
    differs="A mutation changes one active decision of any space, where the paper's changes an "
    "operation or an input of a cell, or nothing.",
)
class AgingEvolution(RegularizedEvolution):
    """Algorithm 1: members are drawn with replacement, and what is known may be proposed again.

    Where an evaluator's answers are constant, a repeat is told at once and costs no evaluation.
    """

    Settings = AgingEvolutionSettings

    def __init__(
        self, space: SearchSpace, objective: Objective, seed: int = 0, settings: Any = None
    ) -> None:
        own = settings or AgingEvolutionSettings()
        super().__init__(space, objective, seed, EvolutionSettings(own.population, own.sample))

    @classmethod
    def defaults(cls, evaluations: int) -> dict[str, Any]:
        return Strategy.defaults(evaluations)  # the authors' numbers are the point

    def _random(self) -> Architecture:
        return self.space.sample(self.rng, 1)[0]

    def _child(self) -> Architecture:
        try:
            return self.space.mutate(self._winner(), self.rng)
        except NasError:  # an architecture that nothing valid is next to
            return self._random()
