"""Operations that see a node alone: linear, identity, zero."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nas.search_spaces.graph.structure import Structure


class Linear(nn.Module):
    """y_i = W x_i + b: the edges are not looked at.

    Args:
        c_in: Features of a node.
        c_out: Features that it gets.
    """

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(c_in, c_out)

    def forward(self, x: Tensor, edges: Structure) -> Tensor:
        """Return [N, c_out] for [N, c_in]."""
        y: Tensor = self.linear(x)
        return y


class Skip(nn.Module):
    """y = x."""

    def forward(self, x: Tensor, edges: Structure) -> Tensor:
        """Return [N, D] for [N, D]."""
        return x


class Zero(nn.Module):
    """y = 0."""

    is_zero = True

    def forward(self, x: Tensor, edges: Structure) -> Tensor:
        """Return [N, D] for [N, D]."""
        return torch.zeros_like(x)
