"""The edges of a graph, sorted, with what layers need of them."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor


def by_target(target: Tensor) -> Tensor:
    """Return the places of edges with some targets, in the order of these, [E].

    A traced program keeps their order: it sums edge by edge, and ONNX knows no stable sort.
    """
    if torch.compiler.is_compiling():
        return torch.arange(target.shape[0], device=target.device)
    return target.argsort(stable=True)


def counted(index: Tensor, size: int) -> Tensor:
    """Return how often every number from 0 to below a size is there, int64 [size]."""
    return index.new_zeros(size).index_add(0, index, torch.ones_like(index))


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
        self.order = by_target(edges[1])
        """The place of every edge in `edges` [E]: here they are sorted by target."""
        self.source, self.target = edges[:, self.order].unbind()
        self.features = None if features is None else features[self.order]
        """Of the edges as they are sorted, [E, G]."""

    @classmethod
    def of(cls, graph: Any, features: Tensor | None = None) -> Structure:
        """Return the edges of a graph (`nas.task.Graph`); `features` are theirs, [E, G]."""
        return cls(graph.edges, graph.features.shape[0], graph.features.dtype, features)

    @cached_property
    def rows(self) -> Tensor:
        """Where the edges into every node start and the last ones end, [N + 1]."""
        counts = counted(self.target, self.nodes)
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
        return torch.ones_like(self.source, dtype=self.dtype)[:, None]

    @cached_property
    def symmetric(self) -> Tensor:
        """1 / sqrt(d_source d_target) for every edge, [E, 1]; 0 where a degree is 0."""
        scale = self.degree.clamp_min(1).rsqrt() * (self.degree > 0)
        return (scale[self.source] * scale[self.target])[:, None]
