"""Which of the operations that are kept side by side run."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class Slots:
    """Some of the slots of a bank: those that run.

    Args:
        at: Positions, ascending.
        of: How many slots the bank has.
        edges: How many edges.
        targets: How many edges leave each state.
    """

    def __init__(self, at: Sequence[int], of: int, edges: int, targets: int) -> None:
        self.at = tuple(at)
        self.of = of
        self.edges = [slot % edges for slot in self.at]
        self.sources = [edge // targets for edge in self.edges]
        self.adjacent = self.at[-1] - self.at[0] + 1 == len(self.at)

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
