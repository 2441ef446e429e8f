"""The 1-dimensional layer of k-GNNs (Morris et al., AAAI 2019, arXiv:1810.02244, eq. 3)."""

from __future__ import annotations

from torch import Tensor, nn

from nas.search_spaces.graph.structure import Structure
from nas.search_spaces.graph.sums import neighbour_sum


class GraphConv(nn.Module):
    """y_i = W (sum over the neighbours j of x_j) + b + V x_i.

    Args:
        c_in: Features of a node.
        c_out: Features that it gets.
    """

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.neighbours = nn.Linear(c_in, c_out)
        self.root = nn.Linear(c_in, c_out, bias=False)

    def forward(self, x: Tensor, edges: Structure) -> Tensor:
        """Return [N, c_out] for [N, c_in]."""
        y: Tensor = self.neighbours(neighbour_sum(x, edges)) + self.root(x)
        return y
