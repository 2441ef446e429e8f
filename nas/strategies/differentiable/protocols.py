"""What the parts of a differentiable strategy see of it, and what it needs of a task."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from nas.mutables import Supernet
from nas.space import Scores
from nas.strategies.differentiable.settings import DifferentiableSettings

__all__ = ["Batch", "GateTraining", "Problem"]

Batch = tuple[Any, Tensor]
"""Inputs, a tensor [B, ...] or a graph, and targets."""


class Problem(Protocol):
    """The loss and metric of a task."""

    def loss(self, output: Any, target: Tensor) -> Tensor:
        """Return the mean loss over a batch."""

    def correct(self, output: Any, target: Tensor) -> int:
        """Return the number of right predictions."""


class GateTraining(Protocol):
    """A `DifferentiableStrategy`, as solvers and selections see it; its docstrings hold here."""

    settings: DifferentiableSettings
    supernet: Supernet
    problem: Problem
    logits: dict[str, nn.Parameter]
    weights: list[nn.Parameter]
    weight_optimizer: torch.optim.Optimizer
    decided: dict[str, Tensor]

    @property
    def weight_lr(self) -> float:
        """The learning rate of the weights as it is now."""

    def fresh_weight_optimizer(self, learning_rate: float) -> torch.optim.Optimizer:
        """Return an optimiser of the weights as the search's own, which has seen no step."""

    def step(self, train_batch: Batch, valid_batch: Batch) -> dict[str, float]:
        """Train gates and weights by one step each."""

    def forward(self, batch: Batch, detach: bool = False) -> tuple[Any, Tensor]:
        """Run the supernet with freshly made weights over its gates."""

    def fixed_weights(self) -> AbstractContextManager[None]:
        """Let forward passes record what gradients of the gates need, and nothing for weights."""

    def gate_loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a batch plus the regularisers, with a graph to the gates."""

    def apply_gate_gradients(self, gradients: Iterable[Tensor | None]) -> None:
        """Take one step of the gates' optimiser."""

    def weight_step(self, batch: Batch) -> dict[str, float]:
        """Take one step of the weights with the gates held fixed."""

    def scores(self) -> Scores:
        """Return how strong every option of every gate is by the logits alone."""
