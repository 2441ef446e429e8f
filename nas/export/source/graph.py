"""A graph as exported networks take it: what stands in their source for `nas.task.Graph`.

It is no dataclass: these need their file among `sys.modules`, where a loader may not have put it.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Graph"]


class Graph:
    """One graph whose nodes are asked for, or several graphs side by side.

    Args:
        features: Of the nodes, [N, F].
        edges: Source and target of every edge, int64 [2, E].
        edge_features: [E, G], or None.
        index: The nodes that are asked for, int64 [n]; None asks for the graphs.
        batch: The graph of every node, int64 [N], ascending from 0; None is a single graph.
    """

    def __init__(
        self,
        features: Tensor,
        edges: Tensor,
        edge_features: Tensor | None = None,
        index: Tensor | None = None,
        batch: Tensor | None = None,
    ) -> None:
        self.features, self.edges, self.edge_features = features, edges, edge_features
        self.index, self.batch = index, batch

    def __len__(self) -> int:
        """Return how many nodes or, without `index`, graphs are asked for."""
        return self.graphs if self.index is None else self.index.shape[0]

    @property
    def graphs(self) -> int:
        """How many graphs lie side by side."""
        if self.batch is None:
            return 1
        before = torch.cat([self.batch.new_full((1,), -1), self.batch])[:-1]
        return (self.batch != before).nonzero().shape[0]  # a shape can be traced
