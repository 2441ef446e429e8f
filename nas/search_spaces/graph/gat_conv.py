"""Graph attention (Velickovic et al., GAT, ICLR 2018, arXiv:1710.10903, eq. 1 to 6)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.graph.structure import Structure
from nas.search_spaces.graph.sums import edge_softmax, weighted_sum

SLOPE = 0.2  # of LeakyReLU, as in the paper


class GATConv(nn.Module):
    """y_i = b + mean over heads of sum over j of a_ij W x_j, j the neighbours and the node itself.

    a_ij is the softmax over j of LeakyReLU(s . W x_j + t . W x_i).

    Args:
        c_in: Features of a node.
        c_out: Features that it gets.
        heads: How many heads are averaged (eq. 6).
    """

    def __init__(self, c_in: int, c_out: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.linear = nn.Linear(c_in, heads * c_out, bias=False)
        self.by_source = nn.Parameter(torch.empty(heads, c_out))
        self.by_target = nn.Parameter(torch.empty(heads, c_out))
        self.bias = nn.Parameter(torch.zeros(c_out))
        for parameter in (self.by_source, self.by_target):
            nn.init.xavier_uniform_(parameter)

    def forward(self, x: Tensor, edges: Structure) -> Tensor:
        """Return [N, c_out] for [N, c_in]."""
        loops = edges.with_loops
        h = self.linear(x).unflatten(1, (self.heads, -1))
        source, target = (h * self.by_source).sum(-1), (h * self.by_target).sum(-1)
        scores = F.leaky_relu(source[loops.source] + target[loops.target], SLOPE)
        return weighted_sum(h, edge_softmax(scores, loops), loops).mean(1) + self.bias
