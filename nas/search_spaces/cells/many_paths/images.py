"""Convolutions and pooling of images as functions, in the form that is fast without gradients."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["Convolution", "convolution", "halve", "pooling"]

Convolution = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""Of inputs [B, C, H, W], weight and bias."""


def convolution(conv: nn.Conv2d) -> Convolution:
    """Return a convolution as a function of inputs, weight and bias.

    What of a kernel lies beside the image for every pixel is left out. (oneDNN falls back to loops
    a hundred times slower for kernels that reach over a whole image.)
    """
    assert not isinstance(conv.padding, str)
    padding = conv.padding

    def run(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        reach = []
        for dim, (outside, step) in enumerate(zip(padding, conv.dilation, strict=True), start=2):
            within = min(outside, (x.shape[dim] - 1) // step * step)
            cut = (outside - within) // step
            if cut:
                weight = weight.narrow(dim, cut, weight.shape[dim] - 2 * cut)
            reach.append(within)
        return F.conv2d(x, weight, bias, conv.stride, reach, conv.dilation, conv.groups)

    return run


def halve(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve with kernels of 2x2 and stride 2; odd sizes are padded by zeros."""
    height, width = x.shape[2:]
    if height % 2 or width % 2:
        x = F.pad(x, (0, width % 2, 0, height % 2))
    return F.conv2d(x, weight, bias, 2)


def pooling(module: nn.Module) -> Callable[[Tensor], Tensor]:
    """Return a pooling layer as a function; on a CPU rows and columns one after the other.

    PyTorch's own is up to seven times slower there where channels are few.
    """

    def run(x: Tensor) -> Tensor:
        if x.device.type != "cpu":
            return module(x)
        even = not (x.shape[2] % 2 or x.shape[3] % 2)
        last = x.permute(0, 2, 3, 1)
        if kind == (nn.MaxPool2d, 3, 1):
            last = _neighbours(_neighbours(last, 1, _larger), 2, _larger)
        elif kind == (nn.AvgPool2d, 3, 1):
            last = _neighbours(_neighbours(last, 1, Tensor.add_), 2, Tensor.add_)
            last.mul_(_shares(last.shape[1:], x.dtype))
        elif kind == (nn.AvgPool2d, 2, 2) and even:
            rows = last[:, ::2] + last[:, 1::2]
            last = (rows[:, :, ::2] + rows[:, :, 1::2]).mul_(0.25)
        else:
            return module(x)
        return last.permute(0, 3, 1, 2)

    kind = (type(module), getattr(module, "kernel_size", 0), getattr(module, "stride", 0))
    return run


def _neighbours(x: Tensor, dim: int, put: Callable[[Tensor, Tensor], object]) -> Tensor:
    """Put every entry of a dimension together with the one before and the one after."""
    together, others = x.clone(), x.shape[dim] - 1
    put(together.narrow(dim, 1, others), x.narrow(dim, 0, others))
    put(together.narrow(dim, 0, others), x.narrow(dim, 1, others))
    return together


def _larger(largest: Tensor, x: Tensor) -> None:
    torch.maximum(largest, x, out=largest)


@lru_cache(maxsize=64)
def _shares(shape: tuple[int, int, int], dtype: torch.dtype) -> Tensor:
    """Return one over the number of pixels in every window of 3x3, for images [H, W, C]."""
    height, width, channels = shape
    image = torch.ones(1, 1, height, width, dtype=dtype)
    counts = F.avg_pool2d(image, 3, 1, 1, divisor_override=1)[0, 0]
    return counts.reciprocal()[..., None].repeat(1, 1, channels)
