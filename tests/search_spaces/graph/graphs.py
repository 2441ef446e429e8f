"""Random graphs for the tests of layers."""

from __future__ import annotations

import torch
from torch import Tensor

from nas.search_spaces.graph.structure import Structure

__all__ = ["random_edges", "structure"]


def random_edges(nodes: int = 12, count: int = 40, seed: int = 0, loops: bool = False) -> Tensor:
    """Return directed edges [2, E], none of them twice; node 0 has none at all."""
    generator = torch.Generator().manual_seed(seed)
    places = torch.randperm((nodes - 1) ** 2, generator=generator)[:count]
    edges = torch.stack([places // (nodes - 1), places % (nodes - 1)]) + 1
    return edges if loops else edges[:, edges[0] != edges[1]]


def structure(edges: Tensor, nodes: int = 12) -> Structure:
    """Return what layers take, for float64."""
    return Structure(edges, nodes, torch.float64)
