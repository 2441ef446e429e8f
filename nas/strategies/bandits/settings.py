"""Settings of `cmab` and `manas`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nas.errors import unknown
from nas.settings import require_ranges, setting
from nas.strategies.controller.settings import REWARDS

__all__ = ["CMABSettings", "MANASSettings"]


@dataclass
class CMABSettings:
    """Settings of `cmab`."""

    level: int = setting(1, "of the nested search; 1 plays every option out once a decision")
    explore: float = setting(0.75, "share of playouts by local bandits, not by the global")
    local: str = setting("ucb", "local bandits are ucb or epsilon (greedy)")
    epsilon: float = setting(0.3, "share of uniform pulls of an epsilon-greedy bandit")
    ucb: float = setting(0.1, "weight of the confidence bound of a ucb bandit")
    reward: str = setting("rank", "what is learned from: rank among all results, or score")

    def __post_init__(self) -> None:
        if self.local not in ("epsilon", "ucb"):
            raise unknown("strategy.local", self.local, ("epsilon", "ucb"))
        if self.reward not in REWARDS:
            raise unknown("strategy.reward", self.reward, REWARDS)
        ranges = {
            "level": (self.level >= 1, "at least 1"),
            "explore": (0 <= self.explore <= 1, "0 to 1"),
            "epsilon": (0 <= self.epsilon <= 1, "0 to 1"),
            "ucb": (0 <= self.ucb < math.inf, "at least 0"),
        }
        require_ranges(self, "strategy", ranges)


@dataclass
class MANASSettings:
    """Settings of `manas`."""

    credit: str = setting("lsq", "exp3 (importance weights) or lsq (least squares)")
    eta: float = setting(0.1, "of pi = softmax(-eta * sum of estimated losses)")
    mixing: float = setting(0.1, "share of the uniform distribution in every agent's")
    reward: str = setting("rank", "what is learned from: rank among all results, or score")

    def __post_init__(self) -> None:
        if self.credit not in ("exp3", "lsq"):
            raise unknown("strategy.credit", self.credit, ("exp3", "lsq"))
        if self.reward not in REWARDS:
            raise unknown("strategy.reward", self.reward, REWARDS)
        ranges = {
            "eta": (0 < self.eta < math.inf, "above 0"),
            "mixing": (0 < self.mixing <= 1, "above 0, to 1"),
        }
        require_ranges(self, "strategy", ranges)
