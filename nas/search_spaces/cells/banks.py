"""The weights of operations on all edges of a group, stored side by side, and how they run.

A *group* are the states of a cell that become known together and have edges to the same targets:
the inputs, then every node on its own. A *bank* holds operations of one kind on all edges of a
group, so that optimisers see few large tensors and one kernel can run all edges. What one operation
on one edge is in a bank is called a *slot*; edges of a group are ordered by source, then target,
slots by source, then operation, then target.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.cells.kernels import depthwise, to_parity
from nas.search_spaces.cells.operations import (
    DilConv,
    FactorizedReduce,
    Pool,
    ReLUConvBN,
    SepConv,
)
from nas.search_spaces.cells.slots import Slots

# Channels up to which one dense convolution is faster than a depthwise and a pointwise one.
_FEW, _FEW_BF16, _FEW_STRIDED = 4, 8, 32


class GroupStates:
    """The states of a group, [B, C, H, W] each, and what several banks need of them."""

    def __init__(self, states: Sequence[Tensor], stride: int) -> None:
        self.states = list(states)
        self.stride = stride

    @cached_property
    def relu(self) -> list[Tensor]:
        """The positive parts."""
        return [F.relu(x) for x in self.states]

    @cached_property
    def halves(self) -> list[Tensor]:
        """Positive parts at even rows and columns beside those at odd ones: [B, 2 * C, H', W']."""
        odd = [F.pad(x, (0, 1, 0, 1))[:, :, 1::2, 1::2] for x in self.relu]
        even = [x[:, :, ::2, ::2] for x in self.relu]
        return [torch.cat(pair, dim=1) for pair in zip(even, odd, strict=True)]

    @cached_property
    def dilated(self) -> list[Tensor] | None:
        """The positive parts so that dilation 2 becomes 1; None where the size is odd.

        With stride 2 only even rows and columns are seen at all; with stride 1 see `to_parity`.
        """
        if self.stride == 2:
            form = torch.channels_last
            return [x[:, :, ::2, ::2].contiguous(memory_format=form) for x in self.relu]
        height, width = self.states[0].shape[2:]
        return None if height % 2 or width % 2 else [to_parity(x) for x in self.relu]


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


class Bank(nn.Module):
    """Operations of one kind on all edges of a group.

    Args:
        operations: The module of every slot, with fresh weights.
        edges: How many edges the group has.
        targets: How many of them leave each state.
    """

    def __init__(self, operations: Sequence[nn.Module], edges: int, targets: int) -> None:
        super().__init__()
        self.slots = len(operations)
        self.edges, self.targets = edges, targets
        # What a slot is, without its tensors; not submodules.
        each = len(operations) * targets // edges  # slots of one state
        self.templates = tuple(copy.deepcopy(op).to("meta") for op in operations[:each:targets])

    def state(self, slot: int) -> dict[str, Tensor]:
        """Return views of one slot's tensors, by their names in the operation."""
        raise NotImplementedError

    def fused(self, group: GroupStates, slots: Slots, scale: Tensor | None) -> Tensor:
        """Run some slots together.

        Args:
            group: The states.
            slots: Which.
            scale: What every channel of the output is multiplied by, [slots * C]; None: 1.

        Returns:
            [B, slots * C, H', W'], split by parity where `parity` says so.
        """
        raise NotImplementedError

    def parity(self, group: GroupStates) -> bool:
        """Tell whether the result is split by parity; see `to_parity`."""
        del group
        return False

    def plain(self, x: Tensor, slot: int) -> Tensor:
        """Run one slot on [B, C, H, W] as its operation stands."""
        template = self.template(slot).train(self.training)
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm2d):
                self._follow(template, layer)
        return torch.func.functional_call(template, self.state(slot), (x,))

    def template(self, slot: int) -> nn.Module:
        """Return what a slot is, without its tensors."""
        return self.templates[slot // self.targets % len(self.templates)]

    def _follow(self, template: nn.Module, layer: nn.BatchNorm2d) -> None:
        """Let the template's batch norm do as the bank's does."""
        for own in template.modules():
            if isinstance(own, nn.BatchNorm2d):
                own.momentum = layer.momentum
                own.train(layer.training)


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
