"""Gates and weights on the same batch: single-level optimisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas import registry
from nas.strategies.differentiable.solvers.solver import gate_step

if TYPE_CHECKING:
    from nas.strategies.differentiable.protocols import Batch, GateTraining

__all__ = ["SingleLevel"]


@registry.register(
    "strategies.differentiable.solvers",
    "single-level",
    "gate step and weight step on the same training data",
    "Xie et al., SNAS, ICLR 2019, arXiv:1812.09926, sec. 2.2",
    "A gate step and then a weight step, each with samples of its own, where SNAS updates both "
    "from one backward pass.",
)
class SingleLevel:
    """Both steps see the weights' half and the gates' half of the data, one after the other.

    SNAS takes the gradients of both from one backward pass of one sample.
    """

    def step(
        self, strategy: GateTraining, train_batch: Batch, valid_batch: Batch
    ) -> dict[str, float]:
        figures: dict[str, float] = {}
        for batch in (valid_batch, train_batch):
            gate_figures = gate_step(strategy, batch)
            figures = (gate_figures | figures) | strategy.weight_step(batch)
        return figures
