"""Bandits over the decisions of a space: MANAS and CMAB-NAS.

Sources: Carlucci et al., MANAS: Multi-Agent Neural Architecture Search, arXiv:1909.01051; Huang et
al., Neural Architecture Search via Combinatorial Multi-Armed Bandit, IJCNN 2021, arXiv:2101.00336.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from nas import registry
from nas.objective import Measurement, Objective
from nas.space import Architecture, SearchSpace
from nas.strategies.bandits.cmab import Cmab
from nas.strategies.bandits.manas import Manas
from nas.strategies.bandits.settings import BanditSettings
from nas.strategies.strategy import Strategy

__all__ = ["Bandit", "BanditSettings"]


@registry.register(
    "strategies",
    "bandit",
    "nested Monte Carlo over combinatorial bandits (CMAB-NAS), or an agent a decision (MANAS)",
    "Huang et al., CMAB-NAS, arXiv:2101.00336; Carlucci et al., MANAS, arXiv:1909.01051",
)
class Bandit(Strategy):
    """`algorithm=cmab` or `manas`; see `Cmab` and `Manas`."""

    Settings = BanditSettings
    argument = "algorithm"
    settings: BanditSettings

    def __init__(
        self, space: SearchSpace, objective: Objective, seed: int = 0, settings: Any = None
    ) -> None:
        super().__init__(space, objective, seed, settings or BanditSettings())
        kind = Manas if self.settings.algorithm == "manas" else Cmab
        self.algorithm: Manas | Cmab = kind(space, self.settings, self.rng)

    def ask(self, n: int) -> list[Architecture]:
        return self.space.from_array(self.algorithm.ask(n))

    def tell(self, results: Sequence[tuple[Architecture, Measurement]]) -> None:
        for architecture, measurement in results:
            self.algorithm.tell(architecture.choices, self.objective.score(measurement))

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"algorithm": deepcopy(self.algorithm.state_dict())}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.algorithm.load_state_dict(deepcopy(state["algorithm"]))
