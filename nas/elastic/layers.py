"""Layers that run with the first part of their features, and copies of such parts."""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["CONVOLUTIONS", "NORMS", "cut_layer", "run_layer"]

CONVOLUTIONS = {nn.Conv1d: F.conv1d, nn.Conv2d: F.conv2d, nn.Conv3d: F.conv3d}
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def run_layer(
    layer: nn.Module, x: Tensor, rows: int | None = None, columns: int | None = None
) -> Tensor:
    """Run a layer with its first `rows` output and `columns` input features."""
    if isinstance(layer, nn.Linear):
        return F.linear(x, layer.weight[:rows, :columns], _head(layer.bias, rows))
    for kind, run in CONVOLUTIONS.items():
        if isinstance(layer, kind):
            return _run_convolution(run, layer, x, rows, columns)
    if isinstance(layer, NORMS):
        return _run_norm(layer, x, rows)
    output: Tensor = layer(x)
    return output


def _run_convolution(run: Any, layer: Any, x: Tensor, rows: int | None, columns: Any) -> Tensor:
    groups = rows if rows is not None and layer.groups > 1 else 1
    weight, bias = layer.weight[:rows, :columns], _head(layer.bias, rows)
    output: Tensor = run(x, weight, bias, layer.stride, layer.padding, layer.dilation, groups)
    return output


def _run_norm(layer: Any, x: Tensor, rows: int | None) -> Tensor:
    """Batch norm on the first features; running statistics are updated as the layer would."""
    mean, var = _head(layer.running_mean, rows), _head(layer.running_var, rows)
    momentum = layer.momentum if layer.momentum is not None else 0.0
    if layer.training and layer.num_batches_tracked is not None:
        layer.num_batches_tracked += 1
        if layer.momentum is None:  # a cumulative average
            momentum = 1.0 / float(layer.num_batches_tracked)
    batch_statistics = layer.training or mean is None
    weight, bias = _head(layer.weight, rows), _head(layer.bias, rows)
    return F.batch_norm(x, mean, var, weight, bias, batch_statistics, momentum, layer.eps)


def _head(tensor: Tensor | None, rows: int | None) -> Tensor | None:
    return None if tensor is None else tensor[:rows]


def cut_layer(layer: nn.Module, rows: int | None = None, columns: int | None = None) -> nn.Module:
    """Return a copy of a layer with its first `rows` output and `columns` input features."""
    small: Any = copy.deepcopy(layer)
    if isinstance(layer, (nn.Linear, *CONVOLUTIONS, *NORMS)):
        for name, tensor in [*layer.named_parameters(), *layer.named_buffers()]:
            if tensor.ndim:
                part = tensor[:rows, :columns] if tensor.ndim > 1 else tensor[:rows]
                data = part.detach().clone()
                is_weight = isinstance(tensor, nn.Parameter)
                setattr(small, name, nn.Parameter(data) if is_weight else data)
    if isinstance(layer, nn.Linear):
        small.out_features, small.in_features = small.weight.shape
    elif isinstance(layer, tuple(CONVOLUTIONS)):
        small.groups = small.weight.shape[0] if small.groups > 1 else 1
        small.out_channels = small.weight.shape[0]
        small.in_channels = small.weight.shape[1] * small.groups
    elif isinstance(layer, NORMS):
        small.num_features = rows or small.num_features
    plain: nn.Module = small
    return plain
