"""Supernets run as the published programs of DARTS and PC-DARTS run them: what `nas` is up against.

Written after the papers (Liu et al., DARTS, ICLR 2019, arXiv:1806.09055; Xu et al., PC-DARTS, ICLR
2020, arXiv:1907.05737): one module for every operation of every edge, Python sums over operations
and over edges, tensors in NCHW.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from nas.search_spaces.cells.operations import FactorizedReduce, ReLUConvBN, make_operation
from nas.search_spaces.darts import DARTS

NODES = 4
EDGES = tuple((target, source) for target in range(2, 2 + NODES) for source in range(target))
"""(node, earlier state) of every edge of a cell; states 0 and 1 are the cell's inputs."""


class MixedOperation(nn.Module):
    """All candidates of an edge: the sum of weight * operation (DARTS, eq. 2)."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.operations = nn.ModuleDict(
            {
                name: make_operation(name, channels, stride, affine=False, pool_norm=True)
                for name in DARTS.candidates
            }
        )

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        operations = self.operations.values()
        return _sum(w * operation(x) for w, operation in zip(weights, operations, strict=True))


class PartialMixedOperation(nn.Module):
    """`MixedOperation` on the first of k parts of the channels; the rest pass (PC-DARTS, eq. 1)."""

    def __init__(self, channels: int, stride: int, k: int) -> None:
        super().__init__()
        self.k = k
        self.part = channels // k
        self.mixed = MixedOperation(self.part, stride)
        self.pool = nn.MaxPool2d(2, 2, ceil_mode=True) if stride == 2 else nn.Identity()

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        mixed = self.mixed(x[:, : self.part], weights)
        joined = torch.cat([mixed, self.pool(x[:, self.part :])], dim=1)
        return shuffle(joined, self.k)


def shuffle(x: Tensor, groups: int) -> Tensor:
    """Interleave the groups of channels of [B, C, H, W] (ShuffleNet)."""
    batch, channels, height, width = x.shape
    grouped = x.view(batch, groups, channels // groups, height, width)
    return grouped.transpose(1, 2).contiguous().view(batch, channels, height, width)


class ReferenceCell(nn.Module):
    """A cell of four nodes with a mixed operation on every edge.

    Args:
        c_before, c_last: Channels of the outputs of the two cells before.
        channels: Of the nodes.
        reduction: Whether edges from the cell's inputs have stride 2.
        halve_before: Whether the first input has twice the resolution of the second.
        k: 1, or for PC-DARTS the number of parts that the channels are split into.
    """

    def __init__(
        self,
        c_before: int,
        c_last: int,
        channels: int,
        reduction: bool,
        halve_before: bool,
        k: int,
    ) -> None:
        super().__init__()
        self.reduction = reduction
        self.prepare0: nn.Module = (
            FactorizedReduce(c_before, channels, affine=False)
            if halve_before
            else ReLUConvBN(c_before, channels, 1, affine=False)
        )
        self.prepare1 = ReLUConvBN(c_last, channels, 1, affine=False)
        self.edges = nn.ModuleList()
        for _, source in EDGES:
            stride = 2 if reduction and source < 2 else 1
            self.edges.append(
                MixedOperation(channels, stride)
                if k == 1
                else PartialMixedOperation(channels, stride, k)
            )

    def forward(self, s0: Tensor, s1: Tensor, alphas: Tensor, betas: Tensor | None) -> Tensor:
        """Run the cell with weights over operations [14, 8] and over edges [14], or without."""
        states = [self.prepare0(s0), self.prepare1(s1)]
        first = 0
        for _ in range(NODES):
            outputs = [self.edges[first + j](x, alphas[first + j]) for j, x in enumerate(states)]
            if betas is not None:
                outputs = [betas[first + j] * y for j, y in enumerate(outputs)]
            first += len(states)
            states.append(_sum(outputs))
        return torch.cat(states[2:], dim=1)


class ReferenceSupernet(nn.Module):
    """Stem, cells (reduction at 1/3 and 2/3 of the depth), global pooling, classifier.

    Gate logits are no parameters of the module, for they have an optimiser of their own:
    `alphas` [14, 8] for each kind of cell, `betas` [14] with `edge_gates`.

    Args:
        input_channels: Of the images.
        classes: Number of logits.
        channels: Of the first cells' nodes; doubled by every reduction cell.
        cells: How many.
        partial_channels: 1, or k for PC-DARTS.
        edge_gates: Whether nodes weight their edges (PC-DARTS, eq. 2).
    """

    def __init__(
        self,
        input_channels: int,
        classes: int,
        channels: int,
        cells: int,
        partial_channels: int = 1,
        edge_gates: bool = False,
    ) -> None:
        super().__init__()
        kinds = ("normal", "reduction")
        shape = (len(EDGES), len(DARTS.candidates))
        self.alphas = {kind: torch.zeros(shape, requires_grad=True) for kind in kinds}
        self.betas = {kind: torch.zeros(len(EDGES), requires_grad=True) for kind in kinds}
        self.edge_gates = edge_gates
        c_before = c_last = 3 * channels
        self.stem = nn.Sequential(
            nn.Conv2d(input_channels, c_last, 3, padding=1, bias=False), nn.BatchNorm2d(c_last)
        )
        halve_before = False
        self.cells = nn.ModuleList()
        for i in range(cells):
            reduction = i in (cells // 3, 2 * cells // 3)
            channels = 2 * channels if reduction else channels
            shape_of_cell = (c_before, c_last, channels, reduction, halve_before)
            self.cells.append(ReferenceCell(*shape_of_cell, partial_channels))
            c_before, c_last, halve_before = c_last, NODES * channels, reduction
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(c_last, classes)

    def gates(self) -> list[Tensor]:
        """Return the logits of all gates."""
        betas = self.betas.values() if self.edge_gates else ()
        return [*self.alphas.values(), *betas]

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [B, classes] of images [B, C, H, W]; every cell relaxes its own gates."""
        s0 = s1 = self.stem(x)
        for cell in self.cells:
            kind = "reduction" if cell.reduction else "normal"
            alphas = self.alphas[kind].softmax(-1)
            s0, s1 = s1, cell(s0, s1, alphas, self.edge_weights(kind))
        logits: Tensor = self.classifier(self.pool(s1).flatten(1))
        return logits

    def edge_weights(self, kind: str) -> Tensor | None:
        """Return the weights [14] of the edges, which sum to 1 at every node (PC-DARTS, eq. 2)."""
        if not self.edge_gates:
            return None
        nodes = torch.split(self.betas[kind], [2 + node for node in range(NODES)])
        return torch.cat([node.softmax(-1) for node in nodes])


def _sum(terms: Iterable[Tensor]) -> Tensor:
    total: Any = sum(terms)
    return total  # type: ignore[no-any-return]
