"""The network of NAS-Bench-201, in plain PyTorch.

Source: Dong & Yang, NAS-Bench-201, ICLR 2020, arXiv:2001.00326, sec. 2.1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.cells.operations import ReLUConvBN, make_edge


class DenseCell(nn.Module):
    """Four states, each the sum of one operation on every earlier state; the last is the output.

    `operations` names the operation of edge (1<-0), (2<-0), (2<-1), (3<-0), (3<-1), (3<-2).
    """

    def __init__(
        self, operations: list[str], channels: int, affine: bool, partial_channels: int
    ) -> None:
        super().__init__()
        edges = [(target, source) for target in range(1, 4) for source in range(target)]
        self.sources: list[list[int]] = [[], [], [], []]
        self.edges = nn.ModuleDict()
        for (target, source), name in zip(edges, operations, strict=True):
            if name != "none":
                edge = make_edge(name, channels, 1, affine, False, partial_channels)
                self.edges[f"{target}_{source}"] = edge
                self.sources[target].append(source)

    def forward(self, x: Tensor) -> Tensor:
        states = [x]
        for target in range(1, 4):
            terms = [self.edges[f"{target}_{s}"](states[s]) for s in self.sources[target]]
            states.append(torch.stack(terms).sum(0) if terms else torch.zeros_like(x))
        return states[-1]


class ResidualBlock(nn.Module):
    """The block of stride 2 between the stages: two 3x3 convolutions, pooling on the shortcut."""

    def __init__(self, c_in: int, c_out: int, affine: bool) -> None:
        super().__init__()
        self.first = ReLUConvBN(c_in, c_out, 3, stride=2, affine=affine)
        self.second = ReLUConvBN(c_out, c_out, 3, affine=affine)
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, stride=2, ceil_mode=True), nn.Conv2d(c_in, c_out, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.second(self.first(x))


class DenseStack(nn.Module):
    """Stem, three stages of equal cells with a residual block between, pooling, classifier."""

    def __init__(
        self, input_channels: int, classes: int, channels: int, cells: int, affine: bool
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(input_channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.cells = nn.ModuleList()
        for stage in range(3):
            if stage:
                self.cells.append(ResidualBlock(channels, 2 * channels, affine))
                channels = 2 * channels
            self.cells.extend(self.make_cell(channels) for _ in range(cells))
        self.norm = nn.BatchNorm2d(channels)
        self.classifier = nn.Linear(channels, classes)

    def make_cell(self, channels: int) -> nn.Module:
        """Make one cell of a stage."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [B, classes]."""
        x = self.stem(x)
        for cell in self.cells:
            x = cell(x)
        return self.classifier(F.relu(self.norm(x)).mean(dim=(2, 3)))


class DenseNetwork(DenseStack):
    """The network of one NAS-Bench-201 cell.

    Args:
        operations: The operation of every edge, as for `DenseCell`.
        input_channels: Of the images.
        classes: Number of logits.
        channels: Of the first stage; doubled twice.
        cells: Number of cells a stage.
        affine: Whether batch norm in cells has scale and shift.
        partial_channels: 1, or k for operations that see every k-th part of the channels.
    """

    config: dict[str, object]  # the arguments that it was built with

    def __init__(
        self,
        operations: list[str],
        input_channels: int,
        classes: int,
        channels: int = 16,
        cells: int = 5,
        affine: bool = True,
        partial_channels: int = 1,
    ) -> None:
        self.cell_options = (affine, partial_channels)
        self.operations = list(operations)
        super().__init__(input_channels, classes, channels, cells, affine)

    def make_cell(self, channels: int) -> nn.Module:
        return DenseCell(self.operations, channels, *self.cell_options)
