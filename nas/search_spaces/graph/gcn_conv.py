"""Graph convolution (Kipf & Welling, ICLR 2017, arXiv:1609.02907, eq. 2)."""

from __future__ import annotations

from torch import Tensor, nn

from nas.search_spaces.graph.structure import Structure
from nas.search_spaces.graph.sums import weighted_sum


class GCNConv(nn.Module):
    """y_i = b + sum over j of W x_j / sqrt(d_i d_j): over the neighbours and the node itself.

    Args:
        c_in: Features of a node.
        c_out: Features that it gets.
    """

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(c_in, c_out, bias=False)
        self.bias = nn.Parameter(self.linear.weight.new_zeros(c_out))

    def forward(self, x: Tensor, edges: Structure) -> Tensor:
        """Return [N, c_out] for [N, c_in]."""
        loops = edges.with_loops
        h = self.linear(x).unsqueeze(1)
        return weighted_sum(h, loops.symmetric, loops).squeeze(1) + self.bias
