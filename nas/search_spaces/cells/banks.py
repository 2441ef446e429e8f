"""The bank of every operation: those with a form of their own, and those without."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.cells.bank import Bank
from nas.search_spaces.cells.group_states import GroupStates
from nas.search_spaces.cells.operations import (
    DilConv,
    FactorizedReduce,
    Pool,
    ReLUConvBN,
    SepConv,
)
from nas.search_spaces.cells.separable import DilConvBank, SepConvBank
from nas.search_spaces.cells.slots import Slots
from nas.search_spaces.cells.stacked import norm_state, part, run_norm, stack, stack_norm

__all__ = [
    "JOINED",
    "FactorizedReduceBank",
    "ReLUConvBank",
    "SeparateBank",
    "SharedBank",
    "bank_class",
]


class ReLUConvBank(Bank):
    """Convolutions of one size."""

    def __init__(self, operations: Sequence[ReLUConvBN], edges: int, targets: int) -> None:
        super().__init__(operations, edges, targets)
        self.weight = stack([op.conv.weight for op in operations])
        self.norm = stack_norm([op.norm for op in operations])

    def state(self, slot: int) -> dict[str, Tensor]:
        own = {"conv.weight": part(self.weight, slot, self.slots)}
        return own | norm_state(self.norm, slot, self.slots, "norm")

    def fused(self, group: GroupStates, slots: Slots, scale: Tensor | None) -> Tensor:
        [op] = self.templates
        assert isinstance(op, ReLUConvBN)
        stride, padding = op.conv.stride, op.conv.padding
        x = per_source(
            group.relu, slots, self.weight, lambda x, w: F.conv2d(x, w, None, stride, padding)
        )
        return run_norm(self.norm, x, slots, scale)


class FactorizedReduceBank(Bank):
    """Reductions: both 1x1 convolutions see even and odd pixels side by side."""

    def __init__(self, operations: Sequence[FactorizedReduce], edges: int, targets: int) -> None:
        super().__init__(operations, edges, targets)
        self.even = stack([op.even.weight for op in operations])
        self.odd = stack([op.odd.weight for op in operations])
        self.norm = stack_norm([op.norm for op in operations])

    def state(self, slot: int) -> dict[str, Tensor]:
        own = {
            "even.weight": part(self.even, slot, self.slots),
            "odd.weight": part(self.odd, slot, self.slots),
        }
        return own | norm_state(self.norm, slot, self.slots, "norm")

    def fused(self, group: GroupStates, slots: Slots, scale: Tensor | None) -> Tensor:
        c = self.even.shape[1]
        even, odd = (torch.unflatten(w, 0, (self.slots, -1)) for w in (self.even, self.odd))
        pair = (F.pad(even, (0, 0, 0, 0, 0, c)), F.pad(odd, (0, 0, 0, 0, c, 0)))
        x = per_source(group.halves, slots, torch.cat(pair, dim=1).flatten(0, 1), F.conv2d)
        return run_norm(self.norm, x, slots, scale)


def per_source(
    images: Sequence[Tensor],
    slots: Slots,
    weight: Tensor,
    convolve: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """Run one convolution for every state, with the outputs of its slots side by side."""
    each, parts = slots.of // len(images), []
    for i, x in enumerate(images):
        at = [slot - i * each for slot in slots.at if slot // each == i]
        if at:
            own = part(weight, i, len(images)) if len(images) > 1 else weight
            parts.append(convolve(x, Slots(at, each, each, each).take(own)))
    return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]


class SharedBank(Bank):
    """An operation without weights: what it gives depends on the state, not on the edge.

    Batch norm after pooling is part of it; its running statistics are those of the state.
    """

    def __init__(self, operations: Sequence[nn.Module], edges: int, targets: int) -> None:
        super().__init__(operations, edges, targets)
        self.ops = nn.ModuleList(operations[::targets])

    def state(self, slot: int) -> dict[str, Tensor]:
        return dict(self.ops[slot // self.targets].named_buffers())

    def run(self, x: Tensor, source: int) -> Tensor:
        """Run the operation on a state, the `source`-th of the group."""
        op = self.ops[source]
        if isinstance(op, Pool) and isinstance(op.norm, nn.BatchNorm2d):
            return run_norm(op.norm, op.pool(x), Slots([0], 1, 1, 1), None)
        return op(x)


class SeparateBank(Bank):
    """Operations that have no fused form: one module a slot."""

    def __init__(self, operations: Sequence[nn.Module], edges: int, targets: int) -> None:
        super().__init__(operations, edges, targets)
        self.ops = nn.ModuleList(operations)

    def state(self, slot: int) -> dict[str, Tensor]:
        op = self.ops[slot]
        return {**dict(op.named_parameters()), **dict(op.named_buffers())}

    def plain(self, x: Tensor, slot: int) -> Tensor:
        return self.ops[slot](x)

    def fused(self, group: GroupStates, slots: Slots, scale: Tensor | None) -> Tensor:
        pairs = zip(slots.at, slots.sources, strict=True)
        x = torch.cat([self.ops[slot](group.states[source]) for slot, source in pairs], dim=1)
        x = x if scale is None else x * scale.to(x.dtype)[:, None, None]
        return x.contiguous(memory_format=torch.channels_last)


def bank_class(op: nn.Module) -> type[Bank]:
    """Return the bank that an operation is kept in."""
    if isinstance(op, DilConv):
        return DilConvBank if op.depthwise.dilation[0] == 2 else SeparateBank
    if next(op.parameters(), None) is None:
        return SharedBank
    return _BANKS.get(type(op), SeparateBank)


_BANKS: dict[type[nn.Module], type[Bank]] = {
    SepConv: SepConvBank,
    ReLUConvBN: ReLUConvBank,
    FactorizedReduce: FactorizedReduceBank,
}
JOINED = (SepConvBank, DilConvBank)
"""Banks that hold operations of several kernel sizes."""
