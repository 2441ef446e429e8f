"""Graphs as networks get them: nodes with features, directed edges, and what is asked for."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["Graph", "random_graph"]

_DEGREE = 4  # of random graphs, in both directions together


@dataclass(frozen=True, eq=False)
class Graph:
    """One graph whose nodes are asked for, or several graphs side by side.

    Args:
        features: Of the nodes, float32 [N, F].
        edges: Source and target of every edge, int64 [2, E]; an undirected edge is there in both
            directions. Self-loops are left to the layers that want them.
        edge_features: Float32 [E, G], or None.
        index: The nodes whose labels are asked for, int64 [n]; None asks for the graphs.
        batch: The graph of every node, int64 [N], ascending from 0, each with a node at least; None
            is a single graph.
    """

    features: Tensor
    edges: Tensor
    edge_features: Tensor | None = None
    index: Tensor | None = None
    batch: Tensor | None = None

    def __len__(self) -> int:
        """Return how many labels are asked for: of nodes or, without `index`, of graphs."""
        return self.graphs if self.index is None else len(self.index)

    def __getitem__(self, rows: Tensor | slice) -> Graph:
        """Return what asks for some rows only: nodes in the same graph, or some of the graphs."""
        if self.index is not None:
            return replace(self, index=self.index[rows])
        return self._graphs(rows)

    @property
    def graphs(self) -> int:
        """How many graphs lie side by side."""
        return 1 if self.batch is None else int(self.batch[-1]) + 1

    @property
    def device(self) -> torch.device:
        """Where all tensors are."""
        return self.features.device

    @property
    def nbytes(self) -> int:
        """Of all tensors."""
        return sum(tensor.nbytes for tensor in self._tensors().values())

    def to(self, device: str | torch.device) -> Graph:
        """Return the graph on a device; itself where it is there already."""
        moved = {name: tensor.to(device) for name, tensor in self._tensors().items()}
        if all(moved[name] is tensor for name, tensor in self._tensors().items()):
            return self
        return replace(self, **moved)

    def double(self) -> Graph:
        """Return the graph with features in float64."""
        edge = self.edge_features
        return replace(
            self,
            features=self.features.double(),
            edge_features=None if edge is None else edge.double(),
        )

    def _tensors(self) -> dict[str, Tensor]:
        found = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: tensor for name, tensor in found if tensor is not None}

    @cached_property
    def _parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """Nodes and edges of each graph, [graphs] each; the edges sorted by graph."""
        import torch

        batch = self.batch
        if batch is None:
            batch = torch.zeros(len(self.features), dtype=torch.int64, device=self.device)
        owner = batch[self.edges[0]]
        sizes, counts = (torch.bincount(of, minlength=self.graphs) for of in (batch, owner))
        return sizes, counts, owner.argsort(stable=True)

    def _graphs(self, rows: Tensor | slice) -> Graph:
        """Return some of the graphs, in the given order; the same one may come twice."""
        import torch

        sizes, counts, by_graph = self._parts
        chosen = torch.arange(len(sizes), device=self.device)[rows]
        first = (sizes.cumsum(0) - sizes)[chosen]
        nodes, graph = _runs(first, sizes[chosen])
        places, edge_graph = _runs((counts.cumsum(0) - counts)[chosen], counts[chosen])
        kept = by_graph[places]
        shift = (sizes[chosen].cumsum(0) - sizes[chosen] - first)[edge_graph]
        return replace(
            self,
            features=self.features[nodes],
            edges=self.edges[:, kept] + shift,
            edge_features=None if self.edge_features is None else self.edge_features[kept],
            batch=graph,
        )


def _runs(first: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Return the numbers of runs one after the other, and for each number the run it is of."""
    import torch

    run = torch.arange(len(sizes), device=sizes.device).repeat_interleave(sizes)
    within = torch.arange(len(run), device=sizes.device) - (sizes.cumsum(0) - sizes)[run]
    return first[run] + within, run


def random_graph(
    nodes: int,
    features: int,
    generator: torch.Generator,
    edge_features: int = 0,
    graphs: int = 0,
) -> Graph:
    """Make an undirected graph with random features, or several of the same size.

    Args:
        nodes: In the graph, or in each of several.
        features: Of a node.
        generator: On the CPU.
        edge_features: Of an edge; 0 is none.
        graphs: How many; 0 is one graph, of which all nodes are asked for.
    """
    import torch

    count, one = max(1, graphs), nodes * _DEGREE // 2
    ends = torch.randint(nodes, (2, count, one), generator=generator)
    if nodes > 1:  # no edge from a node to itself
        step = torch.randint(1, nodes, (count, one), generator=generator)
        ends[1] = (ends[0] + step) % nodes
    ends = (ends + torch.arange(count)[:, None] * nodes).flatten(1)
    edges = torch.cat([ends, ends.flip(0)], dim=1)
    edge = torch.randn(ends.shape[1], edge_features, generator=generator).repeat(2, 1)
    return Graph(
        torch.randn(count * nodes, features, generator=generator),
        edges,
        edge if edge_features else None,
        None if graphs else torch.arange(nodes),
        torch.arange(count).repeat_interleave(nodes) if graphs else None,
    )
