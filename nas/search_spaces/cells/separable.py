"""Banks of separable convolutions: depthwise, pointwise, batch norm."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.cells.bank import Bank
from nas.search_spaces.cells.group_states import GroupStates
from nas.search_spaces.cells.kernels import depthwise
from nas.search_spaces.cells.operations import DilConv, SepConv
from nas.search_spaces.cells.slots import Slots
from nas.search_spaces.cells.stacked import norm_state, part, run_norm, stack, stack_norm

__all__ = ["DilConvBank", "SepConvBank", "Separable", "dense_pays"]

# Channels up to which one dense convolution is faster than a depthwise and a pointwise one.
_FEW, _FEW_BF16, _FEW_STRIDED = 4, 8, 32


class Separable(nn.Module):
    """Depthwise convolution, pointwise convolution and batch norm of all slots.

    Depthwise kernels smaller than the largest lie in the middle of zeros, which a mask keeps zero,
    so that one convolution runs all: on a CPU its time goes into memory, not into the kernel.

    Args:
        layers: Of every slot.
    """

    mask: Tensor | None

    def __init__(self, layers: Sequence[DilConv]) -> None:
        super().__init__()
        self.slots = len(layers)
        self.sizes = [layer.depthwise.kernel_size[0] for layer in layers]
        rings = [(max(self.sizes) - size) // 2 for size in self.sizes]
        pairs = list(zip((layer.depthwise.weight for layer in layers), rings, strict=True))
        self.depthwise = stack([F.pad(weight, (ring,) * 4) for weight, ring in pairs])
        ones = [F.pad(torch.ones_like(weight), (ring,) * 4) for weight, ring in pairs]
        self.register_buffer("mask", torch.cat(ones) if any(rings) else None, persistent=False)
        self.pointwise = stack([layer.pointwise.weight for layer in layers])
        self.norm = stack_norm([layer.norm for layer in layers])

    def state(self, slot: int, prefix: str = "") -> dict[str, Tensor]:
        """Return views of one slot's tensors, by their names in `DilConv`."""
        size, ring = self.sizes[slot], (max(self.sizes) - self.sizes[slot]) // 2
        kernels = part(self.depthwise, slot, self.slots)
        own = {
            f"{prefix}depthwise.weight": kernels[..., ring : ring + size, ring : ring + size],
            f"{prefix}pointwise.weight": part(self.pointwise, slot, self.slots),
        }
        return own | norm_state(self.norm, slot, self.slots, f"{prefix}norm")

    def forward(
        self,
        images: Sequence[Tensor],
        order: Sequence[int] | None,
        slots: Slots,
        stride: int,
        scale: Tensor | None,
    ) -> Tensor:
        """Run some slots; see `depthwise` for images and order."""
        if order is not None and slots.all and dense_pays(images[0], stride):
            return run_norm(self.norm, self._dense(images, stride), slots, scale)
        mask = None if self.mask is None else slots.take(self.mask)
        x = depthwise(images, order, slots.take(self.depthwise), stride, mask)
        x = F.conv2d(x, slots.take(self.pointwise), groups=len(slots))
        return run_norm(self.norm, x, slots, scale)

    def _dense(self, images: Sequence[Tensor], stride: int) -> Tensor:
        """Run both convolutions of all slots as one whose kernels are products of theirs."""
        c, k = images[0].shape[1], self.depthwise.shape[-1]
        kernels = self.depthwise if self.mask is None else self.depthwise * self.mask
        weight = self.pointwise.view(-1, c, c, 1, 1) * kernels.view(-1, 1, c, k, k)
        x = torch.cat(list(images), dim=1) if len(images) > 1 else images[0]
        return F.conv2d(x, weight.view(-1, c, k, k), None, stride, k // 2, groups=len(images))


def dense_pays(x: Tensor, stride: int) -> bool:
    """Tell whether one dense convolution is faster than a depthwise and a pointwise one.

    That is so on CPUs where channels are few (docs/performance.md).

    Args:
        x: The input, [B, C, H, W].
        stride: 1 or 2.
    """
    if x.device.type != "cpu":
        return False
    few = _FEW_BF16 if x.dtype == torch.bfloat16 else _FEW
    return x.shape[1] <= (_FEW_STRIDED if stride == 2 else few)


class SepConvBank(Bank):
    """Separable convolutions of any kernel sizes: two layers."""

    def __init__(self, operations: Sequence[SepConv], edges: int, targets: int) -> None:
        super().__init__(operations, edges, targets)
        self.first = Separable([op.first for op in operations])
        self.second = Separable([op.second for op in operations])

    def state(self, slot: int) -> dict[str, Tensor]:
        return self.first.state(slot, "first.") | self.second.state(slot, "second.")

    def fused(self, group: GroupStates, slots: Slots, scale: Tensor | None) -> Tensor:
        x = self.first(group.relu, slots.sources, slots, group.stride, None).relu_()
        return self.second([x], None, slots, 1, scale)


class DilConvBank(Bank):
    """Separable convolutions of dilation 2 and any kernel sizes: one layer."""

    def __init__(self, operations: Sequence[DilConv], edges: int, targets: int) -> None:
        super().__init__(operations, edges, targets)
        self.layer = Separable(operations)

    def state(self, slot: int) -> dict[str, Tensor]:
        return self.layer.state(slot)

    def parity(self, group: GroupStates) -> bool:
        return group.stride == 1 and group.dilated is not None

    def fused(self, group: GroupStates, slots: Slots, scale: Tensor | None) -> Tensor:
        if group.dilated is not None:
            return self.layer(group.dilated, slots.sources, slots, 1, scale)
        parts = []
        for slot, source in zip(slots.at, slots.sources, strict=True):
            op = self.template(slot)
            assert isinstance(op, DilConv)
            weight, conv = self.layer.state(slot)["depthwise.weight"], op.depthwise
            parts.append(
                F.conv2d(group.relu[source], weight, None, 1, conv.padding, 2, conv.groups)
            )
        x = F.conv2d(torch.cat(parts, 1), slots.take(self.layer.pointwise), groups=len(slots))
        return run_norm(self.layer.norm, x, slots, scale)
