"""Search strategies: one a file; `differentiable/` is composed of parts."""

from __future__ import annotations

from nas.strategies.choice import StrategyChoice, choose_strategy
from nas.strategies.differentiable.protocols import Batch
from nas.strategies.differentiable.solvers.solver import gate_gradients
from nas.strategies.differentiable.strategy import DifferentiableStrategy
from nas.strategies.strategy import Strategy

__all__ = [
    "Batch", "DifferentiableStrategy", "Strategy", "StrategyChoice", "choose_strategy",
    "gate_gradients",
]  # fmt: skip
