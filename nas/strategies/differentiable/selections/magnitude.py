"""The strongest options by the gates' own weights (DARTS, arXiv:1806.09055, sec. 2.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas import registry
from nas.space import Scores

if TYPE_CHECKING:
    from nas.strategies.differentiable.protocols import GateTraining
    from nas.strategies.differentiable.selections.selection import Data

__all__ = ["Magnitude"]


@registry.register(
    "strategies.differentiable.selections",
    "magnitude",
    "the largest gate weights",
    "Liu et al., DARTS, ICLR 2019, arXiv:1806.09055, sec. 2.4",
)
class Magnitude:
    """Scores are what the relaxation makes of the logits."""

    def scores(self, strategy: GateTraining, data: Data) -> Scores:
        del data
        return strategy.scores()
