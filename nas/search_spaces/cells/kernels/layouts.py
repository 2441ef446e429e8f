"""Views and copies of images whose channels lie side by side.

Images are [B, C, H, W] in channels-last memory. Where several operations run together their
channels lie side by side: [B, slots * C, H, W], the C channels of a slot together. Layouts are
changed by views of the memory itself (`as_strided`), for at these sizes every call counts.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def channels_last(x: Tensor) -> Tensor:
    """Return x in channels-last memory without gaps."""
    b, c, h, w = x.shape
    if x.stride() == (c * h * w, 1, w * c, c):
        return x
    return as_image(x.permute(0, 2, 3, 1).contiguous(), (b, c, h, w))


def as_image(x: Tensor, shape: tuple[int, int, int, int]) -> Tensor:
    """View memory without gaps as a channels-last image [B, C, H, W]."""
    _, c, h, w = shape
    return x.as_strided(shape, (c * h * w, 1, w * c, c))


def by_slot(x: Tensor, slots: int) -> Tensor:
    """Bring the channels of each slot together: [slots, B * H * W * C] of [B, slots * C, H, W]."""
    b, channels, h, w = x.shape
    if slots == 1:
        return channels_last(x).as_strided((1, x.numel()), (x.numel(), 1))
    c, pixels = channels // slots, b * h * w
    parts = torch.as_strided_copy(channels_last(x), (slots, pixels, c), (c, channels, 1))
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
    return as_image(parts, (b, slots * c, h, w))


def split_parity(x: Tensor) -> Tensor:
    """Split an image into its four images of even and odd rows and columns; see `to_parity`."""
    b, c, h, w = x.shape
    row = w * c
    strides = (h * row, row, c, 2 * row, 2 * c, 1)
    parts = torch.as_strided_copy(channels_last(x), (b, 2, 2, h // 2, w // 2, c), strides)
    return as_image(parts, (4 * b, c, h // 2, w // 2))


def merge_parity(x: Tensor) -> Tensor:
    """Undo `split_parity`."""
    b, c, h, w = x.shape
    row, plane = w * c, h * w * c
    strides = (4 * plane, row, 2 * plane, c, plane, 1)
    parts = torch.as_strided_copy(channels_last(x), (b // 4, h, 2, w, 2, c), strides)
    return as_image(parts, (b // 4, c, 2 * h, 2 * w))


class _Parity(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        del ctx
        return split_parity(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        del ctx
        return merge_parity(gradients[0])


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
        first = channels_last(done).as_strided((size, c, 1), (c, 1, 1))
        others = channels_last(passed).as_strided((size, c, rest // c), (rest, 1, c))
        return as_image(torch.cat([first, others], dim=2), (b, c + rest, h, w))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        gradient, rest = channels_last(gradients[0]), ctx.rest
        b, channels, h, w = gradient.shape
        c, size = channels - rest, b * h * w
        k = channels // c
        first = torch.as_strided_copy(gradient, (size, c), (channels, k))
        start = gradient.storage_offset() + 1
        others = torch.as_strided_copy(gradient, (size, k - 1, c), (channels, 1, k), start)
        return as_image(first, (b, c, h, w)), as_image(others, (b, rest, h, w))


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
