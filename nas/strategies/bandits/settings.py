"""Settings of `bandit`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nas.errors import unknown
from nas.settings import require_ranges, setting

__all__ = ["BanditSettings"]

_OPTIONS = {
    "algorithm": ("manas", "cmab"),
    "credit": ("exp3", "lsq"),
    "local": ("epsilon", "ucb"),
}


@dataclass
class BanditSettings:
    """Settings of both algorithms."""

    algorithm: str = setting("cmab", "manas (an agent a decision) or cmab (nested Monte Carlo)")
    credit: str = setting("lsq", "manas: exp3 (importance weights) or lsq (least squares)")
    eta: float = setting(0.1, "manas: of pi = softmax(-eta * sum of estimated losses)")
    mixing: float = setting(0.1, "manas: share of the uniform distribution in every agent's")
    level: int = setting(1, "cmab: of the nested search; 1 plays every option out once a decision")
    explore: float = setting(0.75, "cmab: share of playouts by local bandits, not by the global")
    local: str = setting("ucb", "cmab: local bandits are ucb or epsilon (greedy)")
    epsilon: float = setting(0.3, "cmab: share of uniform pulls of an epsilon-greedy bandit")
    ucb: float = setting(0.1, "cmab: weight of the confidence bound of a ucb bandit")

    def __post_init__(self) -> None:
        for name, options in _OPTIONS.items():
            if getattr(self, name) not in options:
                raise unknown(f"strategy.{name}", getattr(self, name), options)
        shares = ("explore", "epsilon")
        ranges = {name: (0 <= getattr(self, name) <= 1, "0 to 1") for name in shares}
        ranges |= {
            "mixing": (0 < self.mixing <= 1, "above 0, to 1"),
            "eta": (0 < self.eta < math.inf, "above 0"),
            "level": (self.level >= 1, "at least 1"),
            "ucb": (0 <= self.ucb < math.inf, "at least 0"),
        }
        require_ranges(self, "strategy", ranges)
