"""Simplified graph convolution (Wu et al., SGC, ICML 2019, arXiv:1902.07153), with one hop."""

from __future__ import annotations

from torch import Tensor, nn

from nas.search_spaces.graph.structure import Structure
from nas.search_spaces.graph.sums import weighted_sum


class SGConv(nn.Module):
    """y = W S x + b with S = D^-1/2 (A + I) D^-1/2: as GCN, but features are spread first.

    Args:
        c_in: Features of a node.
        c_out: Features that it gets.
    """

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(c_in, c_out)

    def forward(self, x: Tensor, edges: Structure) -> Tensor:
        """Return [N, c_out] for [N, c_in]."""
        loops = edges.with_loops
        y: Tensor = self.linear(weighted_sum(x.unsqueeze(1), loops.symmetric, loops).squeeze(1))
        return y
