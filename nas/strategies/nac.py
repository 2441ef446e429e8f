"""NAC, neural architecture coding (Xu et al., ICML 2023, arXiv:2305.14065)."""

from __future__ import annotations

from nas import registry
from nas.strategies.differentiable.settings import DifferentiableSettings


@registry.register(
    "strategies",
    "nac",
    "a sparse code over the options of a supernet whose weights are never trained",
    "Xu et al., Do Not Train It: A Linear Neural Architecture Search of Graph Neural Networks "
    "(NAC), ICML 2023, arXiv:2305.14065",
    differs="Gates start at 1 and move at 0.3, where the authors have 1e-3 and 3e-4: only "
    "directions count. Any supernet is searched, not only graph networks that end in a "
    "linear layer.",
)
def nac(scale: str) -> DifferentiableSettings:
    """Return the published settings: unit-norm gates, their L1 norm times 0.5, 100 epochs of Adam.

    NAC's learning rate is 3e-4 for gates that start at 1e-3. Only directions count, and the gates
    here start at 1: hence 0.3.

    The theory is of graph networks that end in a linear layer; the method needs no more than that
    random weights tell options apart. What is found has untrained weights: judge it by training
    (`--evaluator train`).
    """
    return DifferentiableSettings(
        relaxation="unit-norm",
        solver="frozen-weights",
        regularisers=("l1",),
        regulariser_scale=0.5,
        epochs=100,
        gate_lr=0.3,
        gate_weight_decay=0.0,
    ).at(scale, warm_up=0.0, gate_travel=10.0)
