"""Gates on one half of the data, weights on the other, in turn (DARTS with xi = 0)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas import registry
from nas.strategies.differentiable.solvers.solver import gate_step

if TYPE_CHECKING:
    from nas.strategies.differentiable.protocols import Batch, GateTraining

__all__ = ["FirstOrder"]


@registry.register(
    "strategies.differentiable.solvers",
    "first-order",
    "gate step on L_valid(w, a), then weight step on L_train(w, a)",
    "Liu et al., DARTS, ICLR 2019, arXiv:1806.09055, sec. 2.3",
)
class FirstOrder:
    """The gradient of the gates takes the weights as they are."""

    def step(
        self, strategy: GateTraining, train_batch: Batch, valid_batch: Batch
    ) -> dict[str, float]:
        figures = gate_step(strategy, valid_batch)
        return figures | strategy.weight_step(train_batch)
