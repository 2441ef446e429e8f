"""Many graphs, each an example."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from nas.task.graph import Graph

__all__ = ["GraphExamples"]


@dataclass(frozen=True, eq=False)
class GraphExamples:
    """Graphs side by side in one, from which batches are taken.

    Args:
        graph: All of them, with `batch`.
        rows: The graph of each row, int64 [N].
    """

    graph: Graph
    rows: Tensor
    full_batch_steps: ClassVar[int] = 0

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.graph.features.shape[1],)

    def batches(self, order: Tensor | range, size: int) -> Generator[Graph, None, None]:
        rows = torch.arange(order.start, order.stop) if isinstance(order, range) else order
        for part in torch.split(rows.to(self.rows.device), size):
            yield self.graph[self.rows[part]]

    def to(self, device: torch.device, name: str) -> GraphExamples:
        del name  # of messages on memory, of which none is needed here
        return GraphExamples(self.graph.to(device), self.rows.to(device))
