"""The sum of what a group of states contributes to each of its targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nas.search_spaces.cells.kernels.layouts import (
    as_image,
    by_slot,
    channels_last,
    fold,
    merge_parity,
    repeat_channels,
    side_by_side,
    split_parity,
)


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
            stacked = channels_last(torch.cat(shared)) if len(shared) > 1 else shared[0]
            size = shape[0] * shape[1] * shape[2] * shape[3]
            stacked = channels_last(stacked).as_strided((len(shared), size), (size, 1))
            if weights.dtype != stacked.dtype:
                weights = weights.to(stacked.dtype)
            ctx.save_for_backward(weights, stacked)
            if total is None:
                total = torch.mm(weights, stacked)
            else:
                total = torch.addmm(total, weights, stacked)
        assert total is not None
        return as_image(total, (targets * shape[0], *shape[1:]))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        targets, *shape = ctx.shape
        gradient = channels_last(gradients[0])
        of_sides = _spread(gradient, ctx.plan, targets, torch.Size(shape))
        of_weights: Tensor | None = None
        of_shared: tuple[Tensor, ...] = ()
        saved = ctx.saved_tensors  # may be read once only where cells are recomputed
        if saved:
            weights, stacked = saved
            flat = gradient.as_strided((targets, stacked.shape[1]), (stacked.shape[1], 1))
            if ctx.needs_input_grad[1]:
                of_weights = torch.mm(flat, stacked.t())
            mixed = torch.mm(weights.t(), flat)
            of_shared = as_image(mixed, (len(stacked) * shape[0], *shape[1:])).chunk(len(stacked))
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
            term = merge_parity(term) if parity else term
            beside = term if beside is None else beside + term
        else:
            others.append((by_slot(merge_parity(y) if parity else y, len(at)), at))
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
            sides.append(split_parity(own) if parity else own)
            continue
        if False not in made:
            made[False] = side_by_side(x, targets, shape) if targets > 1 else x
        if parity and True not in made:
            made[True] = split_parity(made[False])
        sides.append(repeat_channels(made[parity], len(at) // targets))
    return sides
