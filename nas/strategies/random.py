"""Random search: the baseline that every other strategy must beat.

Source: Li & Talwalkar, Random Search and Reproducibility for NAS, UAI 2019, arXiv:1902.07638.
"""

from __future__ import annotations

from nas import registry
from nas.space import Architecture
from nas.strategies.strategy import Strategy

__all__ = ["RandomSearch"]


@registry.register(
    "strategies",
    "random",
    "architectures drawn at random, the baseline",
    "Li & Talwalkar, Random Search and Reproducibility for NAS, UAI 2019, arXiv:1902.07638",
)
class RandomSearch(Strategy):
    """Every active decision uniformly over its options."""

    def ask(self, n: int) -> list[Architecture]:
        return self.space.sample(self.rng, n)
