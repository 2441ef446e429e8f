"""Batch norm of several batches at once, each with its own statistics.

Batches of equal size are interleaved: example i of batch j is row i * batches + j. So a tensor
[size * batches, H, W, C] is one of [size, batches * H * W * C], of whose columns PyTorch computes
means and variances in one fast pass; what belongs to one channel is put together afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from nas.evaluators.scoring.trace import Norm

__all__ = ["Affine", "Chunk", "Moments", "affine_of", "average", "chunks", "moments", "rescale"]

_COLUMNS = 512  # as fast as it gets on a CPU


class Chunk(NamedTuple):
    """Examples that are run together.

    Args:
        x: [B, ...].
        y: [B].
        division: (batches, their size) one after the other: what is normalised together; None
            where statistics are given.
    """

    x: Tensor
    y: Tensor
    division: tuple[tuple[int, int], ...] | None


class Moments(NamedTuple):
    """Mean and variance of some batches, [batches, C] each, and of how many numbers they are."""

    mean: Tensor
    variance: Tensor
    numbers: int


class Affine(NamedTuple):
    """What batch norm with known statistics does: y = x * scale + shift, [batches, C] each."""

    scale: Tensor
    shift: Tensor


def chunks(batches: Iterable[tuple[Tensor, Tensor]], most: int) -> Iterator[Chunk]:
    """Put batches together.

    Args:
        batches: Inputs [B, ...] and labels [B].
        most: Examples, but for a batch that is larger.
    """
    waiting: list[tuple[Tensor, Tensor]] = []
    count = 0
    for x, y in batches:
        if waiting and count + len(y) > most:
            yield _chunk(waiting)
            waiting, count = [], 0
        waiting.append((x, y))
        count += len(y)
    if waiting:
        yield _chunk(waiting)


def _chunk(batches: list[tuple[Tensor, Tensor]]) -> Chunk:
    xs, ys, division = [], [], []
    while batches:
        size = len(batches[0][1])
        alike = next((i for i, (_, y) in enumerate(batches) if len(y) != size), len(batches))
        some, batches = batches[:alike], batches[alike:]
        xs.append(torch.stack([x for x, _ in some], dim=1).flatten(0, 1))
        ys.append(torch.stack([y for _, y in some], dim=1).flatten())
        division.append((alike, size))
    return Chunk(torch.cat(xs), torch.cat(ys), tuple(division))


def moments(x: Tensor, batches: int, size: int) -> Moments:
    """Return mean and variance of every batch and channel.

    Args:
        x: Interleaved, [size * batches, C, H, W], in channels-last memory.
        batches: How many.
        size: Examples in each.
    """
    _, channels, height, width = x.shape
    if size * height * width == 1:
        raise ValueError(f"batch norm of one number a channel: {tuple(x.shape)}")
    pixels = height * width  # that have columns of their own
    while batches == 1 and pixels % 2 == 0 and pixels * channels > _COLUMNS:
        pixels //= 2
    columns = x.permute(0, 2, 3, 1).view(-1, batches * pixels * channels)
    means, variances = torch.batch_norm_update_stats(columns, None, None, 0.0)
    shape = (batches, pixels, channels)
    between, mean = torch.var_mean(means.view(shape), dim=1, correction=0)
    return Moments(mean, variances.view(shape).mean(1).add_(between), size * height * width)


def average(found: Sequence[Moments]) -> tuple[Tensor, Tensor]:
    """Return the averages of means and of unbiased variances over all batches, [1, C] each."""
    means = torch.cat([some.mean for some in found])
    variances = torch.cat([some.variance * (some.numbers / (some.numbers - 1)) for some in found])
    return means.mean(0, keepdim=True), variances.mean(0, keepdim=True)


def affine_of(norm: Norm, mean: Tensor, variance: Tensor) -> Affine:
    """Return what a layer does that has these statistics, [batches, C] each."""
    weight, bias, eps = norm
    scale = (variance + eps).rsqrt_()
    if weight is not None:
        scale.mul_(weight)
    start = mean.new_zeros(()) if bias is None else bias
    return Affine(scale, torch.addcmul(start, mean, scale, value=-1))


def rescale(x: Tensor, affine: Affine, inplace: bool) -> Tensor:
    """Return x * scale + shift for batches that are interleaved.

    Args:
        x: [size * batches, C, H, W] in channels-last memory.
        affine: Of every batch.
        inplace: Whether to write into x.
    """
    _, channels, height, width = x.shape
    pixels, batches = height * width, len(affine.scale)
    rows = x.permute(0, 2, 3, 1).view(-1, batches, pixels * channels)
    scale, shift = affine.scale.repeat(1, pixels), affine.shift.repeat(1, pixels)
    if inplace:
        torch.addcmul(shift, rows, scale, out=rows)
        return x
    y = torch.addcmul(shift, rows, scale)
    return y.view(-1, height, width, channels).permute(0, 3, 1, 2)
