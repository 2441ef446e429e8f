"""Losses that ride on a tensor: whoever trains through the tensor trains on them as well."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["with_auxiliary"]


class _Auxiliary(torch.autograd.Function):
    """The identity on a tensor; its backward pass gives a loss beside it a gradient of one."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, loss: Tensor) -> Tensor:
        ctx.save_for_backward(loss)
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        [loss] = ctx.saved_tensors
        return gradients[0], torch.ones_like(loss)


def with_auxiliary(x: Tensor, loss: Tensor) -> Tensor:
    """Return x such that a backward pass through it also minimises `loss`.

    No training loop has to know: parameters get the gradient of what is minimised plus that of
    `loss`, while the value that the loop sees stays that of its own loss. What it minimises should
    be a mean over examples, for `loss` enters with factor one.

    Args:
        x: A tensor on the way to what is minimised.
        loss: A scalar.
    """
    result: Tensor = _Auxiliary.apply(x, loss)
    return result
