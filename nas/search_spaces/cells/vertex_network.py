"""The network of NAS-Bench-101, in plain PyTorch.

Source: Ying et al., NAS-Bench-101, ICML 2019, arXiv:1902.09635, sec. 2.1 and app. S1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ConvBNReLU(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, c_in: int, c_out: int, kernel: int, momentum: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, kernel, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(c_out, momentum=momentum)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)))


def vertex_channels(c_in: int, c_out: int, matrix: list[list[int]]) -> list[int]:
    """Return the number of channels of every vertex of a cell.

    Those that lead to the output share its channels; the first ones get one more where the division
    leaves a rest. Any other has as many as the widest that it leads to.

    Args:
        c_in: Channels of the input.
        c_out: Channels of the output.
        matrix: The adjacency matrix, pruned.
    """
    last = len(matrix) - 1
    channels = [c_in, *([0] * (last - 1)), c_out]
    ends = [v for v in range(1, last) if matrix[v][last]]
    for position, v in enumerate(ends):
        channels[v] = c_out // len(ends) + (position < c_out % len(ends))
    for v in reversed(range(1, last)):
        if v not in ends:
            channels[v] = max(channels[t] for t in range(v + 1, last) if matrix[v][t])
    return channels


def make_vertex(name: str, channels: int, momentum: float) -> nn.Module:
    """Make an operation by its name in the paper."""
    if name == "maxpool3x3":
        return nn.MaxPool2d(3, stride=1, padding=1)
    if name in ("conv1x1-bn-relu", "conv3x3-bn-relu"):
        return ConvBNReLU(channels, channels, int(name[4]), momentum)
    raise ValueError(f"unknown operation '{name}'")


class VertexCell(nn.Module):
    """A cell: vertices add what enters them, the output concatenates.

    The input is projected to the channels of each vertex that it leads to, and added to the output
    where it leads there; what is wider than a vertex loses its last channel.
    """

    def __init__(
        self, matrix: list[list[int]], ops: list[str], c_in: int, c_out: int, momentum: float
    ) -> None:
        super().__init__()
        self.last = len(matrix) - 1
        self.channels = vertex_channels(c_in, c_out, matrix)
        inner = range(1, self.last)
        self.sources = [[s for s in inner if s < t and matrix[s][t]] for t in range(len(matrix))]
        self.vertices = nn.ModuleList(
            make_vertex(ops[v], self.channels[v], momentum) for v in inner
        )
        self.projections = nn.ModuleDict()
        for target in range(1, len(matrix)):
            if matrix[0][target]:
                projection = ConvBNReLU(c_in, self.channels[target], 1, momentum)
                self.projections[str(target)] = projection

    def forward(self, x: Tensor) -> Tensor:
        states = [x]
        for vertex, operation in enumerate(self.vertices, start=1):
            width = self.channels[vertex]
            terms = [states[source][:, :width] for source in self.sources[vertex]]
            states.append(operation(self.with_projection(vertex, terms, x)))
        parts = [states[source] for source in self.sources[self.last]]
        joined = [torch.cat(parts, dim=1)] if parts else []
        return self.with_projection(self.last, joined, x)

    def with_projection(self, vertex: int, terms: list[Tensor], x: Tensor) -> Tensor:
        """Add the terms, and the projected input where it leads to the vertex."""
        if str(vertex) in self.projections:
            terms = [*terms, self.projections[str(vertex)](x)]
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total


class VertexNetwork(nn.Module):
    """Stem, stacks of equal cells with pooling between them, global pooling, classifier.

    Args:
        matrix: The adjacency matrix of the cell, pruned; vertices in order, input first.
        ops: The operation of every vertex.
        input_channels: Of the images.
        classes: Number of logits.
        channels: Of the stem and the first stack; every further stack has twice as many.
        stacks: Number of stacks.
        cells: Number of cells a stack.
        momentum: Share of a batch in batch norm's running statistics.
    """

    config: dict[str, object]  # the arguments that it was built with

    def __init__(
        self,
        matrix: list[list[int]],
        ops: list[str],
        input_channels: int,
        classes: int,
        channels: int = 128,
        stacks: int = 3,
        cells: int = 3,
        momentum: float = 0.003,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList([ConvBNReLU(input_channels, channels, 3, momentum)])
        before = channels
        for stack in range(stacks):
            if stack:
                self.layers.append(nn.MaxPool2d(2, stride=2, ceil_mode=True))
                channels = 2 * channels
            for _ in range(cells):
                self.layers.append(VertexCell(matrix, ops, before, channels, momentum))
                before = channels
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [B, classes]."""
        for layer in self.layers:
            x = layer(x)
        return self.classifier(x.mean(dim=(2, 3)))
