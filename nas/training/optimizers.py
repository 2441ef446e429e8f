"""The optimisers of weights, by name."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

__all__ = ["OPTIMIZERS", "kept_tensors", "make_optimizer"]

OPTIMIZERS = ("sgd", "adam")


def make_optimizer(
    name: str,
    weights: Iterable[nn.Parameter],
    learning_rate: float,
    momentum: float,
    weight_decay: float,
    fused: bool | None = None,
) -> torch.optim.Optimizer:
    """Return an optimiser.

    Args:
        name: One of `OPTIMIZERS`.
        weights: What it trains.
        learning_rate: At the start.
        momentum: Of SGD; Adam has betas of .9 and .999 (Kingma and Ba, ICLR 2015, arXiv:1412.6980).
        weight_decay: Added to the gradient, times the weight.
        fused: Whether all weights are moved by one call; None as PyTorch likes.
    """
    if name == "adam":
        return torch.optim.Adam(weights, learning_rate, weight_decay=weight_decay, fused=fused)
    return torch.optim.SGD(
        weights, learning_rate, momentum=momentum, weight_decay=weight_decay, fused=fused
    )


def kept_tensors(name: str, momentum: float) -> int:
    """Return how many tensors as large as a weight an optimiser keeps for it."""
    return 2 if name == "adam" else int(momentum > 0)
