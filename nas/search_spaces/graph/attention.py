"""The seven attention functions of GraphNAS (Gao et al., IJCAI 2020, arXiv:1904.09981, tab. 1).

What an edge e from j to i weighs, by head, with h = W x and two vectors l and r a head:

    const               1
    gcn                 1 / sqrt(d_i d_j)
    gat                 softmax LeakyReLU(l h_i + r h_j)
    gat_sym             softmax (LeakyReLU(l h_i + r h_j) + LeakyReLU(l h_j + r h_i))
    cos                 softmax <l h_i, r h_j>
    linear              softmax tanh(l h_j + r h_j)
    generalized_linear  softmax <g, tanh(l h_i + r h_j)>

with the softmax over the edges into i. In the last two lines l h and r h are products of entries.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from nas.search_spaces.graph.edge_tanh import edge_tanh
from nas.search_spaces.graph.structure import Structure
from nas.search_spaces.graph.sums import edge_dots, edge_softmax

ATTENTIONS = ("gat", "gcn", "cos", "const", "gat_sym", "linear", "generalized_linear")
WITH_VECTORS = ("gat", "gat_sym", "cos", "linear", "generalized_linear")
SLOPE = 0.2  # of LeakyReLU


def attend(
    name: str, h: Tensor, vectors: Tensor | None, general: Tensor | None, edges: Structure
) -> Tensor:
    """Return what every edge weighs, [E, heads], or [E, 1] for all heads.

    Args:
        name: One of `ATTENTIONS`.
        h: Transformed features, [N, heads, D].
        vectors: l and r of every head, [2, heads, D]; not needed without attention.
        general: g, [D], of generalized_linear.
        edges: With an edge from every node to itself.
    """
    if name == "const":
        return edges.ones
    if name == "gcn":
        return edges.symmetric
    assert vectors is not None
    return edge_softmax(_scores(name, h, vectors, general, edges), edges)


def _scores(
    name: str, h: Tensor, vectors: Tensor, general: Tensor | None, edges: Structure
) -> Tensor:
    left, right = vectors
    if name == "cos":
        return edge_dots(h * left, h * right, edges)
    if name == "generalized_linear":
        assert general is not None
        return edge_tanh(h * left, h * right, general, edges)
    at_left, at_right = (h * left).sum(-1), (h * right).sum(-1)
    if name == "linear":
        return torch.tanh(at_left + at_right)[edges.source]
    scores = F.leaky_relu(at_left[edges.target] + at_right[edges.source], SLOPE)
    if name == "gat_sym":
        turned = at_left[edges.source] + at_right[edges.target]
        scores = scores + F.leaky_relu(turned, SLOPE)
    return scores
