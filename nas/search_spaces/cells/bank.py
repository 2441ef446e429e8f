"""What every bank of operations is: its slots, and the two ways to run them.

A *group* are the states of a cell that become known together and have edges to the same targets:
the inputs, then every node on its own. A *bank* holds operations of one kind on all edges of a
group, so that optimisers see few large tensors and one kernel can run all edges. What one operation
on one edge is in a bank is called a *slot*; edges of a group are ordered by source, then target,
slots by source, then operation, then target.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nas.search_spaces.cells.group_states import GroupStates
from nas.search_spaces.cells.slots import Slots

__all__ = ["Bank"]


class _Shared(tuple[nn.Module, ...]):
    """Modules that copies of a bank share, as each use sets their mode and tensors anew."""

    def __deepcopy__(self, memo: dict[int, object]) -> _Shared:
        return self


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
        # What a slot is; not submodules.
        each = len(operations) * targets // edges  # slots of one state
        self.templates = _Shared(operations[:each:targets])

    def strip(self) -> None:
        """Take the tensors out of the templates, but for modules that the bank goes on to use."""
        own = {*self.modules()}
        kept = [copy.deepcopy(op) if own & {*op.modules()} else op for op in self.templates]
        self.templates = _Shared(op.to("meta") for op in kept)

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
        """Return what a slot is; its tensors are to be replaced."""
        return self.templates[slot // self.targets % len(self.templates)]

    def _follow(self, template: nn.Module, layer: nn.BatchNorm2d) -> None:
        """Let the template's batch norm do as the bank's does."""
        for own in template.modules():
            if isinstance(own, nn.BatchNorm2d):
                own.momentum = layer.momentum
                own.train(layer.training)
