"""Weights are left as they were drawn; only the gates are trained.

Source: Xu et al., Do Not Train It: A Linear Neural Architecture Search of Graph Neural Networks
(NAC), ICML 2023, arXiv:2305.14065, alg. 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas import registry
from nas.strategies.differentiable.solvers.solver import gate_step

if TYPE_CHECKING:
    from nas.strategies.differentiable.protocols import Batch, GateTraining

__all__ = ["FrozenWeights"]


@registry.register(
    "strategies.differentiable.solvers",
    "frozen-weights",
    "gate step on L_valid(w, a); weights are never trained",
    "Xu et al., NAC, ICML 2023, arXiv:2305.14065, alg. 1",
)
class FrozenWeights:
    """Gate steps in evaluation mode, without dropout, as NAC has it.

    A supernet with batch norm stays in training mode: its running statistics are not trained, so
    that batches have to be normalised by their own.
    """

    def step(
        self, strategy: GateTraining, train_batch: Batch, valid_batch: Batch
    ) -> dict[str, float]:
        del train_batch
        names = (name for name, _ in strategy.supernet.named_buffers())
        strategy.supernet.train(any(name.endswith("running_mean") for name in names))
        return gate_step(strategy, valid_batch)
