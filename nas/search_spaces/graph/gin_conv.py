"""Graph isomorphism layer (Xu et al., GIN, ICLR 2019, arXiv:1810.00826, eq. 4.1)."""

from __future__ import annotations

from torch import Tensor, nn

from nas.search_spaces.graph.structure import Structure
from nas.search_spaces.graph.sums import neighbour_sum


class GINConv(nn.Module):
    """y_i = MLP(x_i + sum over the neighbours j of x_j), with epsilon = 0 and two linear layers.

    Args:
        c_in: Features of a node.
        c_out: Features that it gets.
    """

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(c_in, c_out), nn.ReLU(), nn.Linear(c_out, c_out))

    def forward(self, x: Tensor, edges: Structure) -> Tensor:
        """Return [N, c_out] for [N, c_in]."""
        y: Tensor = self.mlp(x + neighbour_sum(x, edges))
        return y
