"""Nodes of one graph: all of it at once, or the neighbourhoods of a few nodes.

Sampling: Hamilton et al., Inductive Representation Learning on Large Graphs (GraphSAGE), NeurIPS
2017, arXiv:1706.02216, sec. 3.1 and app. A.
"""

from __future__ import annotations

import zlib
from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from nas.task.graph import Graph

__all__ = ["NodeExamples"]


@dataclass(frozen=True, eq=False)
class NodeExamples:
    """Nodes of one graph, as examples.

    Args:
        graph: All of it, without `index`.
        nodes: The node of each row, int64 [N]: of train, valid and test, one after the other.
        steps: Steps of a training pass on the whole graph.
        fanouts: How many neighbours to take of a node, at each distance from the nodes that are
            asked for; empty: batches are not divided, and have all of the graph.
        stages: Inductive learning: the rows after the last of "train" and of "valid". A pass over
            rows before the first sees only the graph of the nodes of these rows, and likewise the
            second; only beyond are all nodes seen. Empty is transductive learning.
    """

    graph: Graph
    nodes: Tensor
    steps: int = 1
    fanouts: tuple[int, ...] = ()
    stages: tuple[int, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.graph.features.shape[1],)

    @property
    def full_batch_steps(self) -> int:
        return 0 if self.fanouts else self.steps

    def batches(self, order: Tensor | range, size: int) -> Generator[Graph, None, None]:
        """Go through nodes in a given order; a range is never sampled: it takes all neighbours."""
        sampled = not isinstance(order, range)
        rows = torch.arange(order.start, order.stop) if isinstance(order, range) else order
        if not len(rows):
            return
        seen = self._seen(int(rows.max()))
        for part in torch.split(rows.to(self.nodes.device), size):
            index = seen.places[self.nodes[part]]
            if self.fanouts:
                yield seen.around(index, self.fanouts, sampled)
            else:
                yield replace(seen.graph, index=index)

    def to(self, device: torch.device, name: str) -> NodeExamples:
        del name  # of messages on memory: a graph is run as a whole, or it is there already
        return replace(self, graph=self.graph.to(device), nodes=self.nodes.to(device))

    def _seen(self, last: int) -> _Seen:
        for stage, stop in zip(self._stages, self.stages, strict=True):
            if last < stop:
                return stage
        return self._everything

    @cached_property
    def _everything(self) -> _Seen:
        return _Seen(self.graph, torch.arange(len(self.graph.features), device=self.nodes.device))

    @cached_property
    def _stages(self) -> list[_Seen]:
        return [_restricted(self.graph, self.nodes[:stop]) for stop in self.stages]


@dataclass(frozen=True, eq=False)
class _Seen:
    """What a pass may see.

    Args:
        graph: Without `index`.
        places: Node of the whole graph -> node of this one; -1 where it is not seen.
    """

    graph: Graph
    places: Tensor

    @cached_property
    def _incoming(self) -> tuple[Tensor, Tensor, Tensor]:
        """Edges sorted by target: their numbers; the first, and how many, of every node."""
        target = self.graph.edges[1]
        counts = torch.bincount(target, minlength=len(self.graph.features))
        return target.argsort(stable=True), counts.cumsum(0) - counts, counts

    def around(self, index: Tensor, fanouts: tuple[int, ...], sampled: bool) -> Graph:
        """Return the graph around some nodes, sampled as their numbers decide."""
        generator = torch.Generator().manual_seed(zlib.crc32(index.cpu().numpy().tobytes()))
        count = len(self.graph.features)
        known = torch.zeros(count, dtype=torch.bool, device=index.device)
        known[index] = True
        frontier, chosen = torch.unique(index), []
        for fanout in fanouts:
            edges = self._edges_into(frontier, fanout if sampled else None, generator)
            chosen.append(edges)
            source = torch.unique(self.graph.edges[0, edges])
            frontier = source[~known[source]]
            known[frontier] = True
        return _subgraph(self.graph, known, torch.unique(torch.cat(chosen)), index)

    def _edges_into(self, nodes: Tensor, most: int | None, generator: torch.Generator) -> Tensor:
        """Return the numbers of edges into nodes, at most so many of each, drawn uniformly."""
        order, first, counts = self._incoming
        sizes = counts[nodes]
        run = torch.arange(len(nodes), device=nodes.device).repeat_interleave(sizes)
        start = sizes.cumsum(0) - sizes
        place = torch.arange(len(run), device=nodes.device)
        edges = order[first[nodes][run] + place - start[run]]
        if most is None:
            return edges
        drawn = torch.rand(len(run), generator=generator, dtype=torch.float64).to(nodes.device)
        shuffled = (run + drawn).argsort()  # within runs only
        return edges[shuffled[place - start[run] < most]]


def _restricted(graph: Graph, nodes: Tensor) -> _Seen:
    """Return the graph of some nodes and of the edges between them."""
    kept = torch.zeros(len(graph.features), dtype=torch.bool, device=nodes.device)
    kept[nodes] = True
    edges = kept[graph.edges].all(0).nonzero()[:, 0]
    places = torch.where(kept, kept.cumsum(0) - 1, -1)
    return _Seen(replace(_subgraph(graph, kept, edges, nodes), index=None), places)


def _subgraph(graph: Graph, kept: Tensor, edges: Tensor, index: Tensor) -> Graph:
    """Return the kept nodes and some edges between them, numbered anew in their order."""
    places = kept.cumsum(0) - 1
    edge = graph.edge_features
    return Graph(
        graph.features[kept],
        places[graph.edges[:, edges]],
        None if edge is None else edge[edges],
        places[index],
    )
