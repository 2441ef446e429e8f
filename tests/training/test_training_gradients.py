"""Gradients of what a pass does not reach."""

from __future__ import annotations

import torch
from torch import nn

from nas.training.gradients import fill_gradients


def test_missing_gradients_are_zero_and_others_stay() -> None:
    reached, other, frozen = (nn.Parameter(torch.ones(2, 3)) for _ in range(3))
    frozen.requires_grad_(False)
    reached.grad = torch.full((2, 3), 2.0)
    fill_gradients([reached, other, frozen])
    assert reached.grad.eq(2).all() and frozen.grad is None
    assert other.grad is not None and other.grad.shape == (2, 3) and not other.grad.any()
