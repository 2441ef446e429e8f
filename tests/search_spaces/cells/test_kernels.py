"""The kernels of the fused execution, against what they stand for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.cells.kernels import (
    Side,
    by_slot,
    combine,
    depthwise,
    fold,
    interleave,
    repeat_channels,
    side_by_side,
    to_parity,
)
from nas.search_spaces.cells.operations import PartialChannels

Shape = tuple[int, int, int, int]
Layout = Callable[[Tensor], Tensor]


# -- the same image in different memory -----------------------------------------------------------


def nchw(x: Tensor) -> Tensor:
    return x.contiguous()


def channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def some_channels(x: Tensor) -> Tensor:
    """Lie between other channels, as the part that operations see does."""
    return channels_last(torch.cat([x + 1, x, x - 1], dim=1))[:, len(x[0]) : 2 * len(x[0])]


def some_images(x: Tensor) -> Tensor:
    """Lie behind other images, as the states that `combine` makes do."""
    return channels_last(torch.cat([x + 1, x, x - 1]))[len(x) : 2 * len(x)]


def some_rows(x: Tensor) -> Tensor:
    return channels_last(torch.cat([x + 1, x, x - 1], dim=2))[:, :, x.shape[2] : 2 * x.shape[2]]


def expanded(x: Tensor) -> Tensor:
    """Hold one number, as the gradient of a mean does."""
    return x.flatten()[0].expand(x.shape)


LAYOUTS = (nchw, channels_last, some_channels, some_images, some_rows)
EVERY_LAYOUT = pytest.mark.parametrize("layout", LAYOUTS)


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def gradients(y: Tensor, inputs: Sequence[Tensor], layout: Layout = nchw) -> list[Tensor]:
    """Return the gradients of a random sum of y, zeros for what y does not depend on."""
    some = layout(random(*y.shape, seed=9))
    found = torch.autograd.grad(y, inputs, some, retain_graph=True, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for x, g in zip(inputs, found, strict=True)]


def assert_same(
    y: Tensor, expected: Tensor, inputs: Sequence[Tensor], layout: Layout = nchw
) -> None:
    """Compare values and gradients."""
    torch.testing.assert_close(y, expected, rtol=1e-11, atol=1e-11)
    for found, wanted in zip(
        gradients(y, inputs, layout), gradients(expected, inputs, layout), strict=True
    ):
        torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-11)


# -- layouts --------------------------------------------------------------------------------------


@EVERY_LAYOUT
@pytest.mark.parametrize("slots", [1, 3])
def test_channels_by_slot(slots: int, layout: Layout) -> None:
    x = layout(random(2, slots * 2, 3, 4))
    expected = x.unflatten(1, (slots, 2)).permute(1, 0, 3, 4, 2).flatten(1)
    assert torch.equal(by_slot(x, slots), expected)


@pytest.mark.parametrize("slots", [1, 3])
def test_side_by_side_undoes_by_slot(slots: int) -> None:
    x = random(2, slots * 2, 3, 4)
    again = side_by_side(by_slot(x, slots), slots, torch.Size((2, 2, 3, 4)))
    assert torch.equal(again, x)
    assert again.is_contiguous(memory_format=torch.channels_last)


def test_side_by_side_of_a_part_of_memory() -> None:
    x = random(2, 6, 3, 4)
    memory = torch.cat([torch.zeros(1, 48), by_slot(x, 3)])[1:]
    assert torch.equal(side_by_side(memory, 3, torch.Size((2, 2, 3, 4))), x)


@pytest.mark.parametrize("times", [1, 2, 3, 4])
def test_fold_and_repeat(times: int) -> None:
    x = random(2, times * 2, 3, 4).requires_grad_()
    expected = x.unflatten(1, (times, 2)).sum(1)
    assert_same(fold(x, times), expected, [x])
    assert torch.equal(repeat_channels(x, 3), torch.cat([x, x, x], dim=1))


def test_fold_leaves_its_input_alone() -> None:
    x = random(1, 8, 2, 2)
    before = x.clone()
    fold(x, 4)
    assert torch.equal(x, before)


# -- parity ---------------------------------------------------------------------------------------


@EVERY_LAYOUT
@pytest.mark.parametrize("gradient", [nchw, channels_last, some_channels, expanded])
def test_parity_splits_rows_and_columns(layout: Layout, gradient: Layout) -> None:
    x = random(3, 2, 6, 4).requires_grad_()
    parts = [x[:, :, row::2, column::2] for row in (0, 1) for column in (0, 1)]
    assert_same(to_parity(layout(x)), torch.stack(parts, dim=1).flatten(0, 1), [x], gradient)


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize(("height", "width"), [(2, 2), (6, 4), (8, 8)])
def test_dilation_by_parity(kernel: int, height: int, width: int) -> None:
    x, weight = random(2, 3, height, width).requires_grad_(), random(3, 1, kernel, kernel)
    dilated = F.conv2d(x, weight, None, 1, 2 * (kernel // 2), 2, 3)
    usual = F.conv2d(to_parity(x), weight, None, 1, kernel // 2, 1, 3)
    assert_same(usual, to_parity(dilated), [x])


def test_gradcheck_of_parity() -> None:
    assert torch.autograd.gradcheck(to_parity, random(2, 2, 4, 2).requires_grad_())


# -- channel shuffle ------------------------------------------------------------------------------


@EVERY_LAYOUT
@pytest.mark.parametrize("k", [2, 4])
def test_interleave_is_a_channel_shuffle(k: int, layout: Layout) -> None:
    done = random(2, 3, 4, 5).requires_grad_()
    passed = random(2, 3 * (k - 1), 4, 5, seed=1).requires_grad_()
    expected = PartialChannels(nn.Identity(), 3 * k, k, 1).join(done, passed)
    for gradient in (*LAYOUTS, expanded):
        found = interleave(layout(done), layout(passed))
        assert_same(found, expected, [done, passed], gradient)


def test_gradcheck_of_interleave() -> None:
    done, passed = random(1, 2, 2, 2).requires_grad_(), random(1, 4, 2, 2).requires_grad_()
    assert torch.autograd.gradcheck(interleave, (done, passed))


# -- depthwise convolution ------------------------------------------------------------------------

ORDERS = {
    "no order": (None, 1),
    "one slot": ((0,), 1),
    "one image": ((0, 0, 0), 1),
    "one slot of two": ((1,), 2),
    "each once": ((0, 1), 2),
    "rows": ((0, 0, 1, 1), 2),
    "rows again": ((0, 0, 1, 1, 0, 0, 1, 1), 2),
    "turns": ((0, 1, 0, 1), 2),
    "turned round": ((1, 0), 2),
    "irregular": ((0, 1, 1), 2),
    "irregular again": ((0, 0, 1, 0, 0, 1, 1), 2),
    "only the second": ((1, 1), 2),
    "only the first": ((0, 0), 2),
    "three": ((0, 0, 1, 1, 2, 2), 3),
    "three irregular": ((2, 0, 1, 0), 3),
}


def convolved(
    images: Sequence[Tensor], order: Sequence[int] | None, weight: Tensor, stride: int
) -> Tensor:
    """Do what `depthwise` does in plain PyTorch."""
    x = torch.cat([images[i] for i in ([0] if order is None else order)], dim=1)
    return F.conv2d(x, weight, None, stride, weight.shape[-1] // 2, groups=len(weight))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
@pytest.mark.parametrize(("order", "images"), ORDERS.values(), ids=ORDERS)
def test_depthwise(order: tuple[int, ...] | None, images: int, kernel: int, stride: int) -> None:
    slots = 2 if order is None else len(order)
    channels = 4 if order is None else 2
    some = [random(2, channels, 5, 6, seed=i).requires_grad_() for i in range(images)]
    weight = random(2 * slots, 1, kernel, kernel, seed=5).requires_grad_()
    found, expected = (run(some, order, weight, stride) for run in (depthwise, convolved))
    assert_same(found, expected, [weight, *some], channels_last)


@EVERY_LAYOUT
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("order", [(0, 1), (0, 0, 1, 1, 0, 0, 1, 1), (0, 1, 1), (1,)])
def test_depthwise_of_any_memory(order: tuple[int, ...], stride: int, layout: Layout) -> None:
    images = [random(2, 2, 6, 4, seed=i).requires_grad_() for i in range(2)]
    weight = random(2 * len(order), 1, 5, 5, seed=5).requires_grad_()
    expected = convolved(images, order, weight, stride)
    for gradient in (*LAYOUTS, expanded):
        found = depthwise([layout(x) for x in images], order, weight, stride)
        assert_same(found, expected, [weight, *images], gradient)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("order", [None, (0, 1), (0, 1, 1)])
def test_gradcheck_of_depthwise(order: tuple[int, ...] | None, kernel: int, stride: int) -> None:
    images = [random(1, 1, 4, 3, seed=i).requires_grad_() for i in range(1 if order is None else 2)]
    weight = random(1 if order is None else len(order), 1, kernel, kernel).requires_grad_()

    def run(weight: Tensor, *images: Tensor) -> Tensor:
        return depthwise(images, order, weight, stride)

    assert torch.autograd.gradcheck(run, (weight, *images), fast_mode=True)


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2])
def test_depthwise_wider_than_its_image(size: int, stride: int) -> None:
    images = [random(2, 2, size, size).requires_grad_()]
    weight = random(4, 1, 7, 7).requires_grad_()
    found, expected = (run(images, (0, 0), weight, stride) for run in (depthwise, convolved))
    assert_same(found, expected, [weight, *images])


@pytest.mark.parametrize("kernel", [3, 5])
def test_a_mask_holds_back_gradients_of_the_kernel(kernel: int) -> None:
    x, weight = random(2, 4, 4, 4).requires_grad_(), random(4, 1, kernel, kernel).requires_grad_()
    mask = (random(4, 1, kernel, kernel, seed=3) > 0).double()
    masked, usual = depthwise([x], None, weight, 1, mask), depthwise([x], None, weight, 1)
    assert torch.equal(masked, usual)
    of_weight, of_x = gradients(masked, [weight, x])
    expected, same = gradients(usual, [weight, x])
    assert torch.equal(of_weight, expected * mask) and torch.equal(of_x, same)


@pytest.mark.parametrize("stride", [1, 2])
def test_depthwise_computes_only_the_gradients_that_are_asked_for(stride: int) -> None:
    images = [random(2, 2, 4, 4), random(2, 2, 4, 4, seed=1)]
    weight = random(4, 1, 3, 3)
    for wanted in ([weight], images, images[1:]):
        for tensor in (weight, *images):
            tensor.requires_grad_(any(tensor is one for one in wanted)).grad = None
        found, expected = (run(images, (0, 1), weight, stride) for run in (depthwise, convolved))
        assert_same(found, expected, wanted)


@pytest.mark.parametrize("order", [None, (0,), (0, 0, 1, 1), (0, 1, 1)])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("size", [6, 8])
def test_depthwise_in_bfloat16(
    order: tuple[int, ...] | None, stride: int, kernel: int, size: int
) -> None:
    slots, float32 = 1 if order is None else len(order), torch.float32
    images = [random(2, 2, size, size, seed=i, dtype=float32).requires_grad_() for i in range(2)]
    images = images[:1] if order in (None, (0,)) else images
    weight = random(2 * slots, 1, kernel, kernel, dtype=float32).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        found = depthwise(images, order, weight, stride)
    expected = convolved(images, order, weight, stride)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, rtol=0.05, atol=0.2)
    some = random(*found.shape, seed=9, dtype=float32)
    for inputs in ([weight], images):
        got = torch.autograd.grad(found, inputs, some.bfloat16(), retain_graph=True)
        wanted = torch.autograd.grad(expected, inputs, some, retain_graph=True)
        for one, other in zip(got, wanted, strict=True):
            assert one.dtype == float32
            assert (one - other).norm() < 0.02 * other.norm()


# -- sums -----------------------------------------------------------------------------------------

Plan = list[tuple[tuple[int, ...], bool]]
PLANS: dict[str, tuple[Plan, int, int]] = {  # sides, shared results, targets
    "one shared": ([], 1, 1),
    "shared": ([], 3, 2),
    "one slot": ([((0,), False)], 0, 1),
    "a row": ([((0, 1), False)], 0, 2),
    "rows": ([((0, 1, 2) * 2, False)], 0, 3),
    "rows and shared": ([((0, 1) * 3, False)], 2, 2),
    "rows of several": ([((0, 1), False), ((0, 1) * 2, False), ((0, 1), False)], 1, 2),
    "one target": ([((0, 0, 0), False), ((0,), True)], 2, 1),
    "parity": ([((0, 1) * 2, True)], 0, 2),
    "parity first": ([((0, 1), True), ((0, 1) * 2, False)], 2, 2),
    "parity last": ([((0, 1), False), ((0, 1) * 2, True)], 1, 2),
    "parities": ([((0, 1, 2), True), ((0, 1, 2), True)], 1, 3),
    "irregular": ([((0, 2, 2), False)], 1, 3),
    "turned round": ([((1, 0), False)], 1, 2),
    "irregular and rows": ([((0, 1), False), ((0, 1, 1), False)], 1, 2),
    "irregular parity": ([((1, 0, 1), True), ((1,), False)], 0, 2),
    "irregular of both": ([((1, 1), True), ((0, 1), True), ((0,), False)], 2, 2),
    "a target of shared results only": ([((0,), False)], 2, 2),
    "a target of nothing": ([((0, 2), False)], 0, 3),
}


def contributions(plan: Plan, shared: int, seed: int = 0) -> tuple[list[Tensor], list[Tensor]]:
    """Return what sides and shared results give, [B, slots * C, 4, 6]."""
    sides = [random(2, 3 * len(at), 4, 6, seed=seed + i) for i, (at, _) in enumerate(plan)]
    others = [random(2, 3, 4, 6, seed=seed + 50 + i) for i in range(shared)]
    return [x.requires_grad_() for x in sides], [x.requires_grad_() for x in others]


def added_up(plan: Plan, sides: list[Tensor], shared: list[Tensor], weights: Tensor) -> Tensor:
    """Do what `combine` does, one contribution after the other: [targets * B, C, H, W]."""
    totals = [torch.zeros(2, 3, 4, 6, dtype=torch.float64) for _ in weights]
    for x, (at, _) in zip(sides, plan, strict=True):
        for part, target in zip(x.chunk(len(at), dim=1), at, strict=True):
            totals[target] = totals[target] + part
    for row, target in zip(weights, range(len(totals)), strict=True):
        for weight, x in zip(row, shared, strict=True):
            totals[target] = totals[target] + weight * x
    return torch.cat(totals)


@pytest.mark.parametrize(("plan", "shared", "targets"), PLANS.values(), ids=PLANS)
@pytest.mark.parametrize("layout", [nchw, channels_last, some_channels, some_images])
def test_combine(plan: Plan, shared: int, targets: int, layout: Layout) -> None:
    own, others = contributions(plan, shared)
    weights = random(targets, shared, seed=99).requires_grad_()
    ready = [
        Side(layout(to_parity(x) if parity else x), at, parity)
        for x, (at, parity) in zip(own, plan, strict=True)
    ]
    found = combine(ready, [layout(x) for x in others], weights)
    assert [y.shape for y in found] == [(2, 3, 4, 6)] * targets
    expected = added_up(plan, own, others, weights)
    for gradient in (channels_last, expanded):
        assert_same(torch.cat(found), expected, [*own, *others, weights], gradient)


@pytest.mark.parametrize("name", ["rows and shared", "irregular of both", "parity first"])
def test_combine_of_constant_weights(name: str) -> None:
    """A path has weights without a gradient."""
    plan, shared, targets = PLANS[name]
    own, others = contributions(plan, shared)
    weights = (random(targets, shared) > 0).double()
    ready = [
        Side(to_parity(x) if parity else x, at, parity)
        for x, (at, parity) in zip(own, plan, strict=True)
    ]
    found = torch.cat(combine(ready, others, weights))
    assert_same(found, added_up(plan, own, others, weights), [*own, *others])


def test_combine_leaves_what_it_adds_alone() -> None:
    plan, shared, targets = PLANS["parity last"]
    own, others = contributions(plan, shared)
    sides = [to_parity(x) if p else x for x, (_, p) in zip(own, plan, strict=True)]
    before = [x.detach().clone() for x in (*sides, *others)]
    ready = [Side(x, at, parity) for x, (at, parity) in zip(sides, plan, strict=True)]
    combine(ready, others, random(targets, shared))
    assert all(torch.equal(*pair) for pair in zip((*sides, *others), before, strict=True))


def test_combine_of_one_slot_can_be_added_to() -> None:
    """What it gives may be the memory of what it was given."""
    x = random(2, 3, 4, 6).requires_grad_()
    [y] = combine([Side(2 * x, (0,), False)], [], x.new_zeros(1, 0))
    (y + x).sum().backward()
    assert x.grad is not None and torch.equal(x.grad, torch.full_like(x, 3.0))


def test_gradcheck_of_combine() -> None:
    x, parts = random(1, 4, 2, 2).requires_grad_(), random(4, 2, 1, 1).requires_grad_()
    shared, weights = random(1, 2, 2, 2).requires_grad_(), random(2, 1).requires_grad_()

    def run(x: Tensor, parts: Tensor, shared: Tensor, weights: Tensor) -> tuple[Tensor, ...]:
        return combine([Side(x, (0, 1), False), Side(parts, (1,), True)], [shared], weights)

    assert torch.autograd.gradcheck(run, (x, parts, shared, weights))


def test_combine_in_bfloat16() -> None:
    """Weights of gates stay float32."""
    plan, shared, targets = PLANS["irregular of both"]
    own, others = contributions(plan, shared)
    weights = random(targets, shared, dtype=torch.float32).requires_grad_()
    ready = [
        Side((to_parity(x) if parity else x).bfloat16(), at, parity)
        for x, (at, parity) in zip(own, plan, strict=True)
    ]
    found = torch.cat(combine(ready, [x.bfloat16() for x in others], weights))
    expected = added_up(plan, own, others, weights.double())
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.double(), expected, rtol=0.05, atol=0.1)
    some = random(*found.shape)
    [got] = torch.autograd.grad(found, [weights], some.bfloat16())
    [wanted] = torch.autograd.grad(expected, [weights], some)
    assert got.dtype == torch.float32
    assert (got - wanted).norm() < 0.05 * wanted.norm()
