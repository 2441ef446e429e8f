"""The network of stacked cells of NASNet and DARTS, in plain PyTorch.

Source: DARTS (Liu et al., ICLR 2019, arXiv:1806.09055, sec. 3.1, app. A).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from nas.search_spaces.cells.operations import (
    FactorizedReduce,
    ReLUConvBN,
    drop_path,
    make_edge,
)


class Genotype(NamedTuple):
    """Two cells in the notation of DARTS: two (operation, input state) pairs a node.

    States 0 and 1 are the outputs of the two cells before; state 2 is the first node.
    """

    normal: list[tuple[str, int]]
    normal_concat: list[int]
    reduce: list[tuple[str, int]]
    reduce_concat: list[int]


class Cell(nn.Module):
    """A cell: every node adds two operations on earlier states; some states are concatenated."""

    def __init__(
        self,
        pairs: list[tuple[str, int]],
        concat: list[int],
        channels: int,
        reduction: bool,
        affine: bool,
        pool_norm: bool,
        partial_channels: int,
    ) -> None:
        super().__init__()
        self.inputs = [state for _, state in pairs]
        self.concat = list(concat)
        self.drop_path = 0.0
        self.edges = nn.ModuleList()
        for name, state in pairs:
            stride = 2 if reduction and state < 2 else 1
            edge = make_edge(name, channels, stride, affine, pool_norm, partial_channels)
            self.edges.append(edge)

    def forward(self, s0: Tensor, s1: Tensor) -> Tensor:
        states = [s0, s1]
        for i in range(0, len(self.inputs), 2):
            states.append(self.edge(i, states) + self.edge(i + 1, states))
        return torch.cat([states[i] for i in self.concat], dim=1)

    def edge(self, i: int, states: list[Tensor]) -> Tensor:
        """Run edge i; drop path spares identities."""
        op = self.edges[i]
        x = op(states[self.inputs[i]])
        if self.training and self.drop_path > 0 and not isinstance(op, nn.Identity):
            x = drop_path(x, self.drop_path)
        return x


class PreparedCell(nn.Module):
    """A cell with the 1x1 convolutions that bring both inputs to its channels and resolution."""

    def __init__(
        self,
        cell: nn.Module,
        c_before: int,
        c_last: int,
        channels: int,
        halve_before: bool,
        affine: bool,
    ) -> None:
        super().__init__()
        self.prepare0 = (
            FactorizedReduce(c_before, channels, affine)
            if halve_before
            else ReLUConvBN(c_before, channels, 1, affine=affine)
        )
        self.prepare1 = ReLUConvBN(c_last, channels, 1, affine=affine)
        self.cell = cell

    def forward(self, s0: Tensor, s1: Tensor) -> Tensor:
        return self.cell(self.prepare0(s0), self.prepare1(s1))


class AuxiliaryHead(nn.Module):
    """A second classifier at two thirds of the depth, for training only."""

    def __init__(self, channels: int, size: int, classes: int) -> None:
        super().__init__()
        paper_sizes = (7, 8)  # the pooling of the papers gives 2x2 from these only
        self.features = nn.Sequential(
            nn.ReLU(),
            nn.AvgPool2d(5, stride=size - 5, count_include_pad=False)
            if size in paper_sizes
            else nn.AdaptiveAvgPool2d(2),
            nn.Conv2d(channels, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, 2, bias=False),
            nn.BatchNorm2d(768),
            nn.ReLU(),
        )
        self.classifier = nn.Linear(768, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).flatten(1))


def make_stem(kind: str, input_channels: int, channels: int) -> nn.ModuleList:
    """Make the one ("cifar") or two ("imagenet", resolution / 8) blocks before the cells."""
    if kind == "cifar":
        conv = nn.Conv2d(input_channels, 3 * channels, 3, padding=1, bias=False)
        return nn.ModuleList([nn.Sequential(conv, nn.BatchNorm2d(3 * channels))])
    half = channels // 2
    first = nn.Sequential(
        nn.Conv2d(input_channels, half, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(half),
        nn.ReLU(),
        nn.Conv2d(half, channels, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(channels),
    )
    second = nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(channels),
    )
    return nn.ModuleList([first, second])


class CellStack(nn.Module):
    """Stem, cells (reduction at 1/3 and 2/3 of the depth), global pooling, classifier."""

    def __init__(
        self,
        input_channels: int,
        input_size: int,
        classes: int,
        channels: int,
        layers: int,
        stem: str,
        auxiliary: bool,
        affine: bool,
    ) -> None:
        super().__init__()
        self.stem = make_stem(stem, input_channels, channels)
        self.auxiliary_at = 2 * layers // 3 if auxiliary else -1
        reductions = {layers // 3, 2 * layers // 3}
        c_last = 3 * channels if stem == "cifar" else channels
        c_before, size = c_last, input_size if stem == "cifar" else -(-input_size // 8)
        halve_before = stem != "cifar"
        self.cells = nn.ModuleList()
        for layer in range(layers):
            reduction = layer in reductions
            if reduction:
                channels, size = 2 * channels, -(-size // 2)
            cell, nodes = self.make_cell(channels, reduction)
            self.cells.append(PreparedCell(cell, c_before, c_last, channels, halve_before, affine))
            c_before, c_last, halve_before = c_last, nodes * channels, reduction
            if layer == self.auxiliary_at:
                self.auxiliary_head = AuxiliaryHead(c_last, size, classes)
        self.classifier = nn.Linear(c_last, classes)

    def make_cell(self, channels: int, reduction: bool) -> tuple[nn.Module, int]:
        """Make a cell; return it with the number of states that it concatenates."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Return logits [B, classes]; in training with an auxiliary head both heads' logits."""
        states = [self.stem[0](x)]
        states.append(self.stem[-1](states[0]) if len(self.stem) > 1 else states[0])
        s0, s1 = states
        auxiliary = None
        for layer, cell in enumerate(self.cells):
            s0, s1 = s1, cell(s0, s1)
            if layer == self.auxiliary_at and self.training:
                auxiliary = self.auxiliary_head(s1)
        logits = self.classifier(s1.mean(dim=(2, 3)))
        return logits if auxiliary is None else (logits, auxiliary)


class CellNetwork(CellStack):
    """The network of one genotype.

    Args:
        genotype: What the cells are.
        input_channels: Of the images.
        input_size: Side of the images in pixels (only the auxiliary head depends on it).
        classes: Number of logits.
        channels: Of the first cells' nodes; doubled by every reduction cell.
        layers: Number of cells.
        stem: "cifar" or "imagenet".
        auxiliary: Whether there is an auxiliary head.
        affine: Whether batch norm in cells has scale and shift.
        pool_norm: Whether pooling is followed by batch norm, as in supernets.
        partial_channels: 1, or k for operations that see every k-th part of the channels.
    """

    config: dict[str, object]  # the arguments that it was built with

    def __init__(
        self,
        genotype: Genotype,
        input_channels: int,
        input_size: int,
        classes: int,
        channels: int = 36,
        layers: int = 20,
        stem: str = "cifar",
        auxiliary: bool = False,
        affine: bool = True,
        pool_norm: bool = False,
        partial_channels: int = 1,
    ) -> None:
        self.genotype = genotype
        self.cell_options = (affine, pool_norm, partial_channels)
        super().__init__(
            input_channels, input_size, classes, channels, layers, stem, auxiliary, affine
        )

    def make_cell(self, channels: int, reduction: bool) -> tuple[nn.Module, int]:
        genotype = self.genotype
        pairs = genotype.reduce if reduction else genotype.normal
        concat = genotype.reduce_concat if reduction else genotype.normal_concat
        return Cell(pairs, concat, channels, reduction, *self.cell_options), len(concat)

    def set_drop_path(self, probability: float) -> None:
        """Set the probability with which training drops an edge of an example."""
        for module in self.modules():
            if isinstance(module, Cell):
                module.drop_path = probability
