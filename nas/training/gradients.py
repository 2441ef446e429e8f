"""Gradients of weights that a pass does not reach."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

__all__ = ["fill_gradients"]


def fill_gradients(weights: Iterable[nn.Parameter]) -> None:
    """Give weights that have no gradient a gradient of 0; those that are not trained, none.

    In a supernet a path reaches some of the weights. Where several options lie in one tensor, the
    others get gradients of 0 from it, and momentum and weight decay go on to move them. With
    gradients of 0 for the rest, whether a weight moves does not depend on what else was drawn. The
    published programs of GDAS and SPOS did so at their time, when `zero_grad` left zeros and not
    none.
    """
    for weight in weights:
        if weight.requires_grad and weight.grad is None:
            weight.grad = torch.zeros_like(weight)
