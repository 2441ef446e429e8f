"""Depthwise convolution of many slots, with fast gradients on a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from nas.search_spaces.cells.kernels.layouts import as_image, by_slot, channels_last, fold

# On a CPU, oneDNN is fast at gradients of depthwise weights up to this width, and in bfloat16 of
# images from this height.
_CPU_COLUMNS, _CPU_ROWS = 3, 8


def depthwise(
    images: Sequence[Tensor],
    order: Sequence[int] | None,
    weight: Tensor,
    stride: int,
    mask: Tensor | None = None,
) -> Tensor:
    """Convolve every channel on its own, "same" padding.

    Args:
        images: Of shape [B, C, H, W] each.
        order: Which image every slot sees; None: the only image has the slots side by side.
        weight: [slots * C, 1, k, k], k odd.
        stride: 1 or 2.
        mask: What the gradient of the weight is multiplied by, [slots * C, 1, k, k].

    Returns:
        [B, slots * C, H', W'].
    """
    many = None if order is None else tuple(order)
    tensors = map(_cast, (weight, *images))
    output: Tensor = _Depthwise.apply(stride, many, mask, *tensors)
    return output


def _cast(x: Tensor) -> Tensor:
    """Bring a tensor to the type that autocast gives to convolutions."""
    device = x.device.type
    return x.to(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else x


class _Depthwise(torch.autograd.Function):
    """Depthwise convolution with gradients put together from oneDNN's fast cases.

    The gradient of the input is itself a convolution, with the kernel turned round, which oneDNN
    runs faster than its own backward pass. Its gradient of weights is slow for kernels wider than
    three columns, so that it is taken for three columns at a time. Copies of an image, one for
    every slot, are made again rather than kept.
    """

    @staticmethod
    def forward(
        ctx: Any,
        stride: int,
        order: tuple[int, ...] | None,
        mask: Tensor | None,
        weight: Tensor,
        *images: Tensor,
    ) -> Tensor:
        ctx.save_for_backward(mask, weight, *images)
        ctx.stride, ctx.order = stride, order
        padding = weight.shape[-1] // 2
        return torch.conv2d(_arrange(images, order), weight, None, stride, padding, 1, len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        mask, weight, *images = ctx.saved_tensors
        [gradient] = gradients
        of_images: list[Tensor | None] = [None] * len(images)
        of_weight = None
        if any(ctx.needs_input_grad[4:]):
            of_input = _of_input(gradient, weight, ctx.stride, images[0].shape)
            of_images = _collect(of_input, ctx.order, len(images))
        if ctx.needs_input_grad[3]:
            of_weight = _of_weight(gradient, _arrange(images, ctx.order), weight, ctx.stride)
            of_weight = of_weight if mask is None else of_weight.mul_(mask)
        return (None, None, None, of_weight, *of_images)


def _arrange(images: Sequence[Tensor], order: Sequence[int] | None) -> Tensor:
    """Lay the image of every slot side by side."""
    if order is None or len(order) == 1:
        return images[0 if order is None else order[0]]
    return torch.cat([images[i] for i in order], dim=1)


def _collect(x: Tensor, order: Sequence[int] | None, images: int) -> list[Tensor | None]:
    """Undo `_arrange` for gradients: the sum over the slots of every image.

    Folding goes from wide to narrow, for adding few channels of many is slow.
    """
    if order is None or len(order) == 1:
        return [x if order is None or i == order[0] else None for i in range(images)]
    b, channels, h, w = x.shape
    c, size = channels // len(order), b * h * w
    repeats, runs = _pattern(order, images)
    if not repeats:
        parts = by_slot(x, len(order))
        at = [[slot for slot, i in enumerate(order) if i == image] for image in range(images)]
        return [as_image(parts[some].sum(0), (b, c, h, w)) if some else None for some in at]
    folded = channels_last(fold(x, repeats))
    row = images * runs * c
    strides, start = (row, c, 1), folded.storage_offset()
    starts = [start + image * runs * c for image in range(images)]
    own = [folded.as_strided((size, runs, c), strides, at) for at in starts]
    return [as_image(some.sum(1) if runs > 1 else some.contiguous(), (b, c, h, w)) for some in own]


def _pattern(order: Sequence[int], images: int) -> tuple[int, int]:
    """Return how often an order repeats all images and how often each comes in a row; or zeros."""
    runs = next((at for at, image in enumerate(order) if image != order[0]), len(order))
    if images == 1:
        return 1, len(order)
    once = [image for image in range(images) for _ in range(runs)]
    repeats = len(order) // len(once)
    return (repeats, runs) if list(order) == once * repeats else (0, 0)


def _of_input(gradient: Tensor, weight: Tensor, stride: int, shape: torch.Size) -> Tensor:
    """Return the gradient of the input: a convolution with the turned kernel.

    With a stride oneDNN's own is faster, but not in bfloat16.
    """
    padding = weight.shape[-1] // 2
    if stride == 1:
        return torch.conv2d(gradient, weight.flip(2, 3), None, 1, padding, 1, len(weight))
    tensors = [gradient, gradient.new_empty(1).expand(shape[0], len(weight), *shape[2:]), weight]
    slow = gradient.dtype == torch.bfloat16 and gradient.device.type == "cpu"
    tensors = [t.float() for t in tensors] if slow else tensors
    strides, pads, mask = [stride, stride], [padding, padding], [True, False, False]
    of_input: Tensor = torch.ops.aten.convolution_backward(
        *tensors, None, strides, pads, [1, 1], False, [0, 0], len(weight), mask
    )[0]
    return of_input.to(gradient.dtype) if slow else of_input


def _of_weight(gradient: Tensor, x: Tensor, weight: Tensor, stride: int) -> Tensor:
    """Return the gradient of the kernels, on a CPU a few columns of them at a time."""
    k = weight.shape[-1]
    if x.device.type == "cpu" and x.dtype == torch.bfloat16 and x.shape[2] < _CPU_ROWS:
        return _of_weight(gradient.float(), x.float(), weight.float(), stride).to(x.dtype)
    if k <= _CPU_COLUMNS or x.device.type != "cpu":
        return _columns(gradient, x, weight, stride, k // 2)
    padded = F.pad(x, (k // 2, k // 2))
    reach = (gradient.shape[-1] - 1) * stride
    parts, first = [], 0
    for some in torch.split(weight, _CPU_COLUMNS, dim=-1):
        width = some.shape[-1]
        parts.append(_columns(gradient, padded.narrow(3, first, reach + width), some, stride, 0))
        first += width
    return torch.cat(parts, dim=-1)


def _columns(gradient: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    strides, pads = [stride, stride], [weight.shape[2] // 2, padding]
    mask = [False, True, False]
    of_weight: Tensor = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, strides, pads, [1, 1], False, [0, 0], len(weight), mask
    )[1]
    return of_weight
