"""Chebyshev convolution (Defferrard et al., NeurIPS 2016, arXiv:1606.09375, eq. 4), of order 2."""

from __future__ import annotations

from torch import Tensor, nn

from nas.search_spaces.graph.structure import Structure
from nas.search_spaces.graph.sums import weighted_sum


class ChebConv(nn.Module):
    """y = W_0 x + W_1 L x + b with L = -D^-1/2 A D^-1/2: the first two polynomials.

    L is the normalised Laplacian scaled to [-1, 1] with 2 for its largest eigenvalue.

    Args:
        c_in: Features of a node.
        c_out: Features that it gets.
    """

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.first = nn.Linear(c_in, c_out)
        self.second = nn.Linear(c_in, c_out, bias=False)

    def forward(self, x: Tensor, edges: Structure) -> Tensor:
        """Return [N, c_out] for [N, c_in]."""
        proper = edges.without_loops
        spread = weighted_sum(x.unsqueeze(1), proper.symmetric, proper).squeeze(1)
        y: Tensor = self.first(x) - self.second(spread)
        return y
