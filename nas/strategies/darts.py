"""DARTS (Liu et al., ICLR 2019, arXiv:1806.09055), first and second order."""

from __future__ import annotations

from nas import registry
from nas.strategies.differentiable.settings import DifferentiableSettings

_PAPER = "Liu et al., DARTS: Differentiable Architecture Search, ICLR 2019, arXiv:1806.09055"
_DIFFERS = (
    "At small scale weights train alone for the first 40 % of 20 epochs, and the gates' "
    "learning rate follows from the number of steps; `--scale paper` is the paper's."
)


@registry.register(
    "strategies", "darts", "gates and weights by gradients in turn, first order", _PAPER, _DIFFERS
)
def darts(scale: str) -> DifferentiableSettings:
    """Return the paper's settings (app. A.1) with xi = 0."""
    return DifferentiableSettings().at(scale)


@registry.register(
    "strategies",
    "darts-second-order",
    "DARTS with the gradient through a training step",
    _PAPER,
    _DIFFERS,
)
def darts_second_order(scale: str) -> DifferentiableSettings:
    """Return the paper's settings (app. A.1) with xi the weights' learning rate."""
    return DifferentiableSettings(solver="second-order").at(scale)
