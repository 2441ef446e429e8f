"""Banks to test, and the ways to run them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn

from nas.search_spaces.cells.bank import Bank
from nas.search_spaces.cells.banks import (
    bank_class,
)
from nas.search_spaces.cells.group_states import GroupStates
from nas.search_spaces.cells.operations import make_operation
from nas.search_spaces.cells.slots import Slots

SOURCES, TARGETS, CHANNELS = 2, 2, 3
EDGES = SOURCES * TARGETS

# The operations of a bank, and the strides that it is made for.
BANKS: dict[str, tuple[tuple[str, ...], tuple[int, ...]]] = {
    "sep_conv_3x3": (("sep_conv_3x3",), (1, 2)),
    "sep_conv_5x5": (("sep_conv_5x5",), (1, 2)),
    "sep_conv_3x3+5x5": (("sep_conv_3x3", "sep_conv_5x5"), (1, 2)),
    "sep_conv_7x7+3x3": (("sep_conv_7x7", "sep_conv_3x3"), (1, 2)),
    "dil_conv_3x3": (("dil_conv_3x3",), (1, 2)),
    "dil_conv_5x5+3x3": (("dil_conv_5x5", "dil_conv_3x3"), (1, 2)),
    "nor_conv_1x1": (("nor_conv_1x1",), (1, 2)),
    "nor_conv_3x3": (("nor_conv_3x3",), (1, 2)),
    "skip_connect": (("skip_connect",), (2,)),
    "conv_7x1_1x7": (("conv_7x1_1x7",), (1, 2)),
}
CASES = [(names, stride) for names, strides in BANKS.values() for stride in strides]
IDS = [f"{name} {stride}" for name, (_, strides) in BANKS.items() for stride in strides]
EVERY_BANK = pytest.mark.parametrize(("names", "stride"), CASES, ids=IDS)

Run = Callable[[Bank, list[Tensor], Slots, Tensor | None], Tensor]


def make_bank(
    names: Sequence[str], stride: int, affine: bool = True
) -> tuple[Bank, list[nn.Module]]:
    """Return a bank in float64 and the operations that it was made of."""
    torch.manual_seed(0)
    kinds = [name for _ in range(SOURCES) for name in names for _ in range(TARGETS)]
    made = [make_operation(name, CHANNELS, stride, affine) for name in kinds]
    bank = bank_class(made[0])(copy.deepcopy(made), EDGES, TARGETS)
    return bank.double(), [op.double() for op in made]


def randomise(*modules: nn.Module) -> None:
    """Move batch norm away from its start."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for module in modules:
            for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
                if tensor.ndim == 1 and tensor.is_floating_point():
                    start = -0.5 if name.endswith(("bias", "mean")) else 0.5
                    tensor.uniform_(start, start + 1.0, generator=generator)


def states(size: int = 6, grad: bool = False) -> list[Tensor]:
    generator = torch.Generator().manual_seed(2)
    made = (
        torch.randn(4, CHANNELS, size, size, generator=generator, dtype=torch.float64)
        for _ in range(SOURCES)
    )
    form = torch.channels_last
    return [x.contiguous(memory_format=form).requires_grad_(grad) for x in made]


def slots_of(bank: Bank, at: Sequence[int]) -> Slots:
    return Slots(at, bank.slots, EDGES, TARGETS)


def choices(slots: int) -> list[list[int]]:
    """Return some choices of slots: all, one, neighbours, scattered, those of one state."""
    last = slots - 1
    some = [[*range(slots)], [0], [last], [1, 2], [0, last], [0, 1], [2, 3], [0, 2, 3], [0, 1, 3]]
    return [*some, [1, 2, last - 1, last]] if slots > EDGES else some


def one_after_the_other(bank: Bank, xs: list[Tensor], slots: Slots, scale: Tensor | None) -> Tensor:
    outputs = [bank.plain(xs[s], slot) for slot, s in zip(slots.at, slots.sources, strict=True)]
    y = torch.cat(outputs, dim=1)
    return y if scale is None else y * scale[:, None, None]


def tensors(bank: Bank) -> dict[str, Tensor]:
    """Return gradients, and buffers other than counts."""
    found = {f"{n}'": p.grad for n, p in bank.named_parameters() if p.grad is not None}
    found |= dict(bank.named_buffers())
    return {n: t.clone() for n, t in found.items() if not n.endswith("num_batches_tracked")}


def together(bank: Bank, xs: list[Tensor], slots: Slots, scale: Tensor | None) -> Tensor:
    group = GroupStates(xs, stride_of(bank))
    y = bank.fused(group, slots, scale)
    return unsplit(y) if bank.parity(group) else y


def stride_of(bank: Bank) -> int:
    layers = [m for m in bank.templates[0].modules() if isinstance(m, nn.Conv2d)]
    return max(max(layer.stride) for layer in layers)


def unsplit(x: Tensor) -> Tensor:
    b, c, h, w = x.shape
    parts = x.view(b // 4, 2, 2, c, h, w).permute(0, 3, 4, 1, 5, 2)
    return parts.reshape(b // 4, c, 2 * h, 2 * w)


def step(run: Run, bank: Bank, at: Sequence[int], scaled: bool, size: int) -> dict[str, Tensor]:
    """Make a forward and a backward pass; return all that it gave and changed."""
    bank.zero_grad()
    xs, slots = states(size, grad=True), slots_of(bank, at)
    scale = None
    if scaled:
        scale = torch.linspace(0.5, 1.5, len(at) * CHANNELS, dtype=torch.float64).requires_grad_()
    y = run(bank, xs, slots, scale)
    (y * torch.linspace(-1.0, 1.0, y.numel(), dtype=torch.float64).view(y.shape)).sum().backward()
    found = {"output": y.detach()} | tensors(bank)
    inputs = {f"state {i}": x.new_zeros(()) if x.grad is None else x.grad for i, x in enumerate(xs)}
    return found | inputs | ({} if scale is None or scale.grad is None else {"scale": scale.grad})


def assert_close(found: dict[str, Tensor], expected: dict[str, Tensor], what: object) -> None:
    assert found.keys() == expected.keys(), what
    for name, value in expected.items():
        difference = (found[name] - value).abs().max()
        assert difference <= 1e-10 * (1.0 + value.abs().max()), f"{what}: {name} by {difference}"
