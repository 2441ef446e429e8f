"""Kernels that the fused execution of cells is made of.

Images are [B, C, H, W] in channels-last memory. Where several operations run together their
channels lie side by side: [B, slots * C, H, W], the C channels of a slot together. Layouts are
changed by views of the memory itself (`as_strided`), for at these sizes every call counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

_CPU_COLUMNS = 3  # oneDNN is fast at depthwise gradients of weights up to this width (perf/)


# -- layouts ------------------------------------------------------------------------------------


def _channels_last(x: Tensor) -> Tensor:
    """Return x in channels-last memory without gaps."""
    b, c, h, w = x.shape
    if x.stride() == (c * h * w, 1, w * c, c):
        return x
    return _image(x.permute(0, 2, 3, 1).contiguous(), (b, c, h, w))


def _image(x: Tensor, shape: tuple[int, int, int, int]) -> Tensor:
    """View memory without gaps as a channels-last image [B, C, H, W]."""
    _, c, h, w = shape
    return x.as_strided(shape, (c * h * w, 1, w * c, c))


def by_slot(x: Tensor, slots: int) -> Tensor:
    """Bring the channels of each slot together: [slots, B * H * W * C] of [B, slots * C, H, W]."""
    b, channels, h, w = x.shape
    if slots == 1:
        return _channels_last(x).as_strided((1, x.numel()), (x.numel(), 1))
    c, pixels = channels // slots, b * h * w
    parts = torch.as_strided_copy(_channels_last(x), (slots, pixels, c), (c, channels, 1))
    return parts.view(slots, pixels * c)


def side_by_side(x: Tensor, slots: int, shape: torch.Size) -> Tensor:
    """Undo `by_slot`.

    Args:
        x: Without gaps, [slots, B, H, W, C] in memory.
        slots: How many.
        shape: (B, C, H, W) of one.
    """
    b, c, h, w = shape
    size = b * h * w
    parts = torch.as_strided_copy(x, (size, slots, c), (c, size * c, 1))
    return _image(parts, (b, slots * c, h, w))


def _split(x: Tensor) -> Tensor:
    """Split an image into its four images of even and odd rows and columns; see `to_parity`."""
    b, c, h, w = x.shape
    row = w * c
    strides = (h * row, row, c, 2 * row, 2 * c, 1)
    parts = torch.as_strided_copy(_channels_last(x), (b, 2, 2, h // 2, w // 2, c), strides)
    return _image(parts, (4 * b, c, h // 2, w // 2))


def _merge(x: Tensor) -> Tensor:
    """Undo `_split`."""
    b, c, h, w = x.shape
    row, plane = w * c, h * w * c
    strides = (4 * plane, row, 2 * plane, c, plane, 1)
    parts = torch.as_strided_copy(_channels_last(x), (b // 4, h, 2, w, 2, c), strides)
    return _image(parts, (b // 4, c, 2 * h, 2 * w))


class _Parity(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        del ctx
        return _split(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        del ctx
        return _merge(gradients[0])


def to_parity(x: Tensor) -> Tensor:
    """Split an image into its four images of even and odd rows and columns: [4 * B, C, H/2, W/2].

    A convolution of dilation 2 on x is one of dilation 1 on these. H and W must be even.
    """
    y: Tensor = _Parity.apply(x)
    return y


def interleave(done: Tensor, passed: Tensor) -> Tensor:
    """Shuffle the channels of two tensors together, with one copy (PC-DARTS, fig. 2).

    Args:
        done: [B, C, H, W].
        passed: [B, (k - 1) * C, H, W].

    Returns:
        [B, k * C, H, W]: C groups of one channel of `done` and k - 1 of `passed`.
    """
    y: Tensor = _Interleave.apply(done, passed)
    return y


class _Interleave(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, done: Tensor, passed: Tensor) -> Tensor:
        (b, c, h, w), rest = done.shape, passed.shape[1]
        ctx.rest, size = rest, b * h * w
        first = _channels_last(done).as_strided((size, c, 1), (c, 1, 1))
        others = _channels_last(passed).as_strided((size, c, rest // c), (rest, 1, c))
        return _image(torch.cat([first, others], dim=2), (b, c + rest, h, w))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        gradient, rest = _channels_last(gradients[0]), ctx.rest
        b, channels, h, w = gradient.shape
        c, size = channels - rest, b * h * w
        k = channels // c
        first = torch.as_strided_copy(gradient, (size, c), (channels, k))
        start = gradient.storage_offset() + 1
        others = torch.as_strided_copy(gradient, (size, k - 1, c), (channels, 1, k), start)
        return _image(first, (b, c, h, w)), _image(others, (b, rest, h, w))


def repeat_channels(x: Tensor, times: int) -> Tensor:
    """Return [B, times * C, H, W]: x side by side with itself."""
    return torch.cat([x] * times, dim=1) if times > 1 else x


def fold(x: Tensor, times: int) -> Tensor:
    """Sum equal parts of the channels: [B, C, H, W] of [B, times * C, H, W]."""
    if times == 1:
        return x
    first, second, *others = x.chunk(times, dim=1)
    total = first + second
    for other in others:
        total += other
    return total


# -- depthwise convolution ----------------------------------------------------------------------


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
        return [_image(parts[some].sum(0), (b, c, h, w)) if some else None for some in at]
    folded = _channels_last(fold(x, repeats))
    row = images * runs * c
    strides, start = (row, c, 1), folded.storage_offset()
    starts = [start + image * runs * c for image in range(images)]
    own = [folded.as_strided((size, runs, c), strides, at) for at in starts]
    return [_image(some.sum(1) if runs > 1 else some.contiguous(), (b, c, h, w)) for some in own]


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


# -- sums ---------------------------------------------------------------------------------------


class Side(NamedTuple):
    """Results of several slots, side by side.

    Args:
        y: [B, slots * C, H, W].
        targets: The position of the target of every slot.
        parity: Whether y is split by parity (`to_parity`).
    """

    y: Tensor
    targets: tuple[int, ...]
    parity: bool


_Plan = tuple[tuple[int, ...], bool]
"""Targets and parity of a side."""


def combine(sides: Sequence[Side], shared: Sequence[Tensor], weights: Tensor) -> tuple[Tensor, ...]:
    """Add up what a group of states contributes to each target.

    Args:
        sides: Results that each belong to one target.
        shared: Results that all targets share, [B, C, H, W] each.
        weights: Of the shared results in every target, [targets, shared].

    Returns:
        [B, C, H, W] for every target.
    """
    plan = [(side.targets, side.parity) for side in sides]
    total: Tensor = _Combine.apply(plan, weights, *(side.y for side in sides), *shared)
    return total.chunk(len(weights)) if len(weights) > 1 else (total,)


class _Combine(torch.autograd.Function):
    """Sums in memory [targets, B, H, W, C]; see `combine`."""

    @staticmethod
    def forward(ctx: Any, plan: list[_Plan], weights: Tensor, *tensors: Tensor) -> Tensor:
        targets, shared = len(weights), tensors[len(plan) :]
        shape = _shape(plan, tensors)
        ctx.plan, ctx.shape = plan, (targets, *shape)
        total = _add_up(tensors[: len(plan)], plan, targets)
        if shared:
            stacked = _channels_last(torch.cat(shared)) if len(shared) > 1 else shared[0]
            size = shape[0] * shape[1] * shape[2] * shape[3]
            stacked = _channels_last(stacked).as_strided((len(shared), size), (size, 1))
            if weights.dtype != stacked.dtype:
                weights = weights.to(stacked.dtype)
            ctx.save_for_backward(weights, stacked)
            if total is None:
                total = torch.mm(weights, stacked)
            else:
                total = torch.addmm(total, weights, stacked)
        assert total is not None
        return _image(total, (targets * shape[0], *shape[1:]))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        targets, *shape = ctx.shape
        gradient = _channels_last(gradients[0])
        of_sides = _spread(gradient, ctx.plan, targets, torch.Size(shape))
        of_weights: Tensor | None = None
        of_shared: tuple[Tensor, ...] = ()
        if ctx.saved_tensors:
            weights, stacked = ctx.saved_tensors
            flat = gradient.as_strided((targets, stacked.shape[1]), (stacked.shape[1], 1))
            if ctx.needs_input_grad[1]:
                of_weights = torch.mm(flat, stacked.t())
            mixed = torch.mm(weights.t(), flat)
            of_shared = _image(mixed, (len(stacked) * shape[0], *shape[1:])).chunk(len(stacked))
        return (None, of_weights, *of_sides, *of_shared)


def _shape(plan: Sequence[_Plan], tensors: Sequence[Tensor]) -> tuple[int, int, int, int]:
    """Return (B, C, H, W) of one target."""
    b, c, h, w = tensors[0].shape
    if not plan:
        return b, c, h, w
    at, parity = plan[0]
    return (b // 4, c // len(at), 2 * h, 2 * w) if parity else (b, c // len(at), h, w)


def _regular(at: tuple[int, ...], targets: int) -> bool:
    """Tell whether slots come in rows of all targets."""
    return at == (*range(targets),) * (len(at) // targets)


def _add_up(sides: Sequence[Tensor], plan: Sequence[_Plan], targets: int) -> Tensor | None:
    """Sum what belongs to each target: [targets, B * H * W * C], or None for nothing.

    What comes in rows of all targets is summed side by side before it is taken apart.
    """
    beside: Tensor | None = None
    others = []
    for y, (at, parity) in zip(sides, plan, strict=True):
        if _regular(at, targets):
            term = fold(y, len(at) // targets)
            term = _merge(term) if parity else term
            beside = term if beside is None else beside + term
        else:
            others.append((by_slot(_merge(y) if parity else y, len(at)), at))
    total = None if beside is None else by_slot(beside, targets)
    for parts, at in others:
        if total is None:
            total = parts.new_zeros(targets, parts.shape[1])
        total = total.index_add(0, torch.tensor(at, device=parts.device), parts)
    return total


def _spread(x: Tensor, plan: Sequence[_Plan], targets: int, shape: torch.Size) -> list[Tensor]:
    """Undo `_add_up` for a gradient, [targets, B, H, W, C] in memory."""
    made: dict[bool, Tensor] = {}
    sides = []
    for at, parity in plan:
        if not _regular(at, targets):
            parts = x.view(targets, shape[0], *x.shape[1:])[list(at)].permute(0, 1, 3, 4, 2)
            own = side_by_side(parts.contiguous(), len(at), shape)
            sides.append(_split(own) if parity else own)
            continue
        if False not in made:
            made[False] = side_by_side(x, targets, shape) if targets > 1 else x
        if parity and True not in made:
            made[True] = _split(made[False])
        sides.append(repeat_channels(made[parity], len(at) // targets))
    return sides
