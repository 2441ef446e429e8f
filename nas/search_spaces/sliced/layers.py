"""Layers that run with the first part of their features, and copies of such parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["batch_norm", "centre", "conv", "copy_parts", "depthwise", "layer_norm", "linear"]


def linear(layer: nn.Linear, x: Tensor, width: int | None = None) -> Tensor:
    """Run a linear layer with its first `width` outputs and as many inputs as x [B, n] has."""
    bias = None if layer.bias is None else layer.bias[:width]
    return F.linear(x, layer.weight[:width, : x.shape[1]], bias)


def conv(layer: nn.Conv2d, x: Tensor, width: int | None = None) -> Tensor:
    """Run an ungrouped convolution with its first `width` outputs and the inputs that x has."""
    bias = None if layer.bias is None else layer.bias[:width]
    weight = layer.weight[:width, : x.shape[1]]
    return F.conv2d(x, weight, bias, layer.stride, cast("tuple[int, int]", layer.padding))


def depthwise(layer: nn.Conv2d, x: Tensor, weight: Tensor) -> Tensor:
    """Run a depthwise convolution of "same" padding with a part of its kernels, [C, 1, k, k]."""
    return F.conv2d(x, weight, None, layer.stride, weight.shape[-1] // 2, groups=x.shape[1])


def centre(weight: Tensor, size: int) -> Tensor:
    """Return the centre of square kernels [..., k, k] as [..., size, size]."""
    start = (weight.shape[-1] - size) // 2
    return weight[..., start : start + size, start : start + size]


def batch_norm(layer: nn.Module, x: Tensor) -> Tensor:
    """Run batch norm with scale, shift and statistics of as many features as there are."""
    assert isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d))
    mean, var, width = layer.running_mean, layer.running_var, x.shape[1]
    momentum = layer.momentum
    if layer.training and layer.num_batches_tracked is not None:
        layer.num_batches_tracked += 1
        if momentum is None:  # an average over all batches
            momentum = 1.0 / float(layer.num_batches_tracked)
    return F.batch_norm(
        x,
        None if mean is None else mean[:width],
        None if var is None else var[:width],
        layer.weight[:width],
        layer.bias[:width],
        layer.training or mean is None,
        momentum or 0.0,
        layer.eps,
    )


def layer_norm(layer: nn.LayerNorm, x: Tensor) -> Tensor:
    """Run layer norm over as many features as there are, with their scale and shift."""
    width = x.shape[1]
    return F.layer_norm(x, (width,), layer.weight[:width], layer.bias[:width], layer.eps)


def copy_parts(wide: Mapping[str, Tensor], network: nn.Module) -> None:
    """Load a plain network from the first features, and the kernels' centres, of a wide one.

    Args:
        wide: Parameters and buffers under the names that they have in `network`.
        network: What is loaded.
    """
    parts = {}
    for name, own in network.state_dict().items():
        part = wide[name][tuple(slice(0, size) for size in own.shape[:2])]
        parts[name] = centre(part, own.shape[-1]) if own.ndim == 4 else part
    network.load_state_dict(parts)
