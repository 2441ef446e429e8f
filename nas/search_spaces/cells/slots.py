"""Which of the operations that are kept side by side run."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class Slots:
    """Some of the slots of a bank: those that run.

    Slots are ordered by source, then operation, then target.

    Args:
        at: Positions, ascending.
        of: How many slots the bank has.
        edges: How many edges.
        targets: How many edges leave each state.
    """

    def __init__(self, at: Sequence[int], of: int, edges: int, targets: int) -> None:
        self.at = tuple(at)
        self.of = of
        self.per_source = of * targets // edges
        self.sources = [slot // self.per_source for slot in self.at]
        self.operations = [slot % self.per_source // targets for slot in self.at]
        pairs = zip(self.sources, self.at, strict=True)
        self.edges = [source * targets + slot % targets for source, slot in pairs]
        self.adjacent = self.at[-1] - self.at[0] + 1 == len(self.at)

    @property
    def all(self) -> bool:
        """Whether every slot of the bank runs."""
        return len(self.at) == self.of

    def __len__(self) -> int:
        return len(self.at)

    def take(self, tensor: Tensor) -> Tensor:
        """Return the slots' part of a stacked tensor: a view where they lie next to each other."""
        if len(self.at) == self.of:
            return tensor
        size = len(tensor) // self.of
        if self.adjacent:
            return tensor.narrow(0, self.at[0] * size, len(self.at) * size)
        return torch.unflatten(tensor, 0, (self.of, size))[list(self.at)].flatten(0, 1)

    def put(self, tensor: Tensor, part: Tensor) -> None:
        """Write back what `take` gave and was then changed in place."""
        if not self.adjacent:
            parts = torch.unflatten(part, 0, (len(self.at), -1))
            torch.unflatten(tensor, 0, (self.of, -1))[list(self.at)] = parts
