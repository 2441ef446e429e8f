"""From the features of nodes to the rows that are asked for: some nodes, or graphs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nas.search_spaces.graph.structure import counted

POOLS = ("mean", "max", "sum")


def read_out(x: Tensor, graph: Any, pool: str) -> Tensor:
    """Return [n, D] of the nodes that are asked for or, where none are, [graphs, D].

    Args:
        x: Features of all nodes, [N, D].
        graph: What the network was given: its `index` or else its `batch` count.
        pool: How the nodes of a graph are joined, one of `POOLS`.
    """
    if graph.index is not None:
        return x[graph.index]
    return pooled(x, owners(graph), graph.graphs, pool)


def owners(graph: Any) -> Tensor:
    """Return the graph of every node, [N]."""
    if graph.batch is not None:
        batch: Tensor = graph.batch
        return batch
    nodes = graph.features.shape[0]
    return torch.zeros(nodes, dtype=torch.int64, device=graph.features.device)


def pooled(x: Tensor, owner: Tensor, graphs: int, pool: str) -> Tensor:
    """Join rows by graph, [graphs, D]; 0 for a graph without rows.

    Args:
        x: Features of nodes or edges, [rows, D].
        owner: The graph of every row, [rows].
        graphs: How many there are.
        pool: One of `POOLS`.
    """
    index = owner[:, None].expand_as(x)
    start = x.new_zeros(graphs, x.shape[1])
    reduce = "amax" if pool == "max" else "sum"
    joined = start.scatter_reduce(0, index, x, reduce, include_self=False)
    return joined / counted(owner, graphs).clamp_min(1)[:, None] if pool == "mean" else joined
