"""The edges of a graph, sorted, with what layers need of them."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor


class Structure:
    """Directed edges between the nodes of a graph; made once a pass and shared by all layers.

    Args:
        edges: Source and target of every edge, int64 [2, E].
        nodes: How many nodes there are.
        dtype: Of the weights that follow from degrees.
        features: Of the edges in their order, [E, G], where they have any.
    """

    def __init__(
        self, edges: Tensor, nodes: int, dtype: torch.dtype, features: Tensor | None = None
    ) -> None:
        self.nodes, self.dtype = nodes, dtype
        self.order = edges[1].argsort(stable=True)
        """The place of every edge in `edges` [E]: here they are sorted by target."""
        self.source, self.target = edges[:, self.order].unbind()
        self.features = None if features is None else features[self.order]
        """Of the edges as they are sorted, [E, G]."""

    @cached_property
    def rows(self) -> Tensor:
        """Where the edges into every node start and the last ones end, [N + 1]."""
        counts = torch.bincount(self.target, minlength=self.nodes)
        return torch.cat([counts.new_zeros(1), counts.cumsum(0)])

    @cached_property
    def reversed(self) -> Structure:
        """The same edges from target to source; its `order` is their place here."""
        return Structure(torch.stack([self.target, self.source]), self.nodes, self.dtype)

    @cached_property
    def with_loops(self) -> Structure:
        """The edges between different nodes and one from every node to itself.

        The order of its edges is of no use: loops have none in the graph.
        """
        proper = self.source != self.target
        every = torch.arange(self.nodes, device=self.source.device).expand(2, -1)
        edges = torch.stack([self.source[proper], self.target[proper]])
        return Structure(torch.cat([edges, every], 1), self.nodes, self.dtype)

    @cached_property
    def without_loops(self) -> Structure:
        """The edges between different nodes."""
        proper = self.source != self.target
        edges = torch.stack([self.source[proper], self.target[proper]])
        return Structure(edges, self.nodes, self.dtype)

    @cached_property
    def degree(self) -> Tensor:
        """The number of edges into every node, [N]."""
        return self.rows.diff().to(self.dtype)

    @cached_property
    def ones(self) -> Tensor:
        """A weight of 1 for every edge, [E, 1]."""
        return torch.ones(len(self.source), 1, dtype=self.dtype, device=self.source.device)

    @cached_property
    def symmetric(self) -> Tensor:
        """1 / sqrt(d_source d_target) for every edge, [E, 1]; 0 where a degree is 0."""
        scale = self.degree.clamp_min(1).rsqrt() * (self.degree > 0)
        return (scale[self.source] * scale[self.target])[:, None]
