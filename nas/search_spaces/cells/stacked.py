"""Tensors of several slots side by side: weights, batch norms, and their parts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.cells.slots import Slots

__all__ = ["norm_state", "part", "run_norm", "stack", "stack_norm"]


def stack_norm(layers: Sequence[nn.BatchNorm2d]) -> nn.BatchNorm2d:
    """Return one batch norm with the tensors of several side by side."""
    first = layers[0]
    stacked = nn.BatchNorm2d(
        len(layers) * first.num_features, first.eps, first.momentum, first.affine
    )
    counts = torch.zeros(len(layers), dtype=torch.long)
    stacked.num_batches_tracked = counts
    return stacked


def stack(weights: Sequence[Tensor]) -> nn.Parameter:
    """Return a parameter with several weights side by side along their first dimension."""
    return nn.Parameter(torch.cat([w.detach() for w in weights]))


def part(tensor: Tensor, slot: int, slots: int) -> Tensor:
    """Return a view of the part of a stacked tensor that belongs to one slot."""
    size = len(tensor) // slots
    return tensor.narrow(0, slot * size, size)


def norm_state(layer: nn.BatchNorm2d, slot: int, slots: int, prefix: str) -> dict[str, Tensor]:
    """Return views of one slot's tensors of a stacked batch norm, by their names in one."""
    tensors = {**dict(layer.named_parameters()), **dict(layer.named_buffers())}
    state = {f"{prefix}.{name}": part(tensor, slot, slots) for name, tensor in tensors.items()}
    counter = f"{prefix}.num_batches_tracked"
    return state | {counter: state[counter][0]}


def run_norm(layer: nn.BatchNorm2d, x: Tensor, slots: Slots, scale: Tensor | None) -> Tensor:
    """Apply batch norm to the channels of some slots, times a scale for every channel.

    Batches are counted only for averages over all batches (`momentum` None), which need it.

    Args:
        layer: With the tensors of all slots.
        x: [B, slots * C, H, W].
        slots: Which.
        scale: [slots * C], or None for 1.
    """
    weight = None if layer.weight is None else slots.take(layer.weight)
    bias = None if layer.bias is None else slots.take(layer.bias)
    if scale is not None:
        weight = scale if weight is None else scale * weight
        bias = None if bias is None else scale * bias
    assert layer.running_mean is not None and layer.running_var is not None
    mean, var = slots.take(layer.running_mean), slots.take(layer.running_var)
    if layer.training and layer.momentum is None:
        return _cumulative(layer, x, slots, (weight, bias))
    momentum = layer.momentum or 0.0
    y = F.batch_norm(x, mean, var, weight, bias, layer.training, momentum, layer.eps)
    if layer.training:
        slots.put(layer.running_mean, mean)
        slots.put(layer.running_var, var)
    return y


def _cumulative(
    layer: nn.BatchNorm2d, x: Tensor, slots: Slots, affine: tuple[Tensor | None, Tensor | None]
) -> Tensor:
    """Apply batch norm whose running statistics are averages over all batches so far."""
    assert layer.running_mean is not None and layer.num_batches_tracked is not None
    mean, var = layer.running_mean.new_zeros(2, x.shape[1])
    y = F.batch_norm(x, mean, var, *affine, True, 1.0, layer.eps)
    counts = slots.take(layer.num_batches_tracked).add_(1)
    slots.put(layer.num_batches_tracked, counts)
    share = 1.0 / counts.to(mean.dtype).repeat_interleave(x.shape[1] // len(slots))
    for running, batch in ((layer.running_mean, mean), (layer.running_var, var)):
        assert running is not None
        kept = slots.take(running)
        kept.add_(share * (batch - kept))
        slots.put(running, kept)
    return y
