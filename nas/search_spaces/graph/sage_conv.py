"""GraphSAGE with the mean (Hamilton et al., NeurIPS 2017, arXiv:1706.02216, alg. 1)."""

from __future__ import annotations

from torch import Tensor, nn

from nas.search_spaces.graph.structure import Structure
from nas.search_spaces.graph.sums import neighbour_mean


class SAGEConv(nn.Module):
    """y_i = W (mean over the neighbours j of x_j) + b + V x_i; 0 is the mean over none.

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
        y: Tensor = self.neighbours(neighbour_mean(x, edges)) + self.root(x)
        return y
