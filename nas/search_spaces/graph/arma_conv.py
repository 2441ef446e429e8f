"""ARMA convolution (Bianchi et al., TPAMI 2021, arXiv:1901.01343, eq. 7): one stack, one step."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.graph.structure import Structure
from nas.search_spaces.graph.sums import weighted_sum


class ARMAConv(nn.Module):
    """y = relu(D^-1/2 A D^-1/2 x W + x V + b).

    Args:
        c_in: Features of a node.
        c_out: Features that it gets.
    """

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.neighbours = nn.Linear(c_in, c_out, bias=False)
        self.root = nn.Linear(c_in, c_out, bias=False)
        self.bias = nn.Parameter(torch.zeros(c_out))

    def forward(self, x: Tensor, edges: Structure) -> Tensor:
        """Return [N, c_out] for [N, c_in]."""
        h = self.neighbours(x).unsqueeze(1)
        spread = weighted_sum(h, edges.symmetric, edges).squeeze(1)
        return F.relu(spread + self.root(x) + self.bias)
