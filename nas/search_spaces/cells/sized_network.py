"""The network of NATS-Bench's size search space, in plain PyTorch.

Source: Dong et al., NATS-Bench, TPAMI 2021, arXiv:2009.00437, sec. 3.2. Its cell is the best one of
NAS-Bench-201 on CIFAR-100's validation set.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.cells.dense_network import ResidualBlock
from nas.search_spaces.cells.operations import ReLUConvBN


class Projection(nn.Module):
    """A 1x1 convolution and batch norm: what a skip is where the width changes."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, 1, bias=False)
        self.norm = nn.BatchNorm2d(c_out)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x))


class SizedCell(nn.Module):
    """Four states with a 3x3 convolution on every edge but a skip from the first to the last."""

    def __init__(self, c_in: int, c_out: int, projects: bool) -> None:
        super().__init__()
        self.edges = nn.ModuleDict()
        for target in range(1, 4):
            for source in range(target):
                if (target, source) != (3, 0):
                    self.edges[f"{target}_{source}"] = ReLUConvBN(
                        c_out if source else c_in, c_out, 3
                    )
        self.skip = Projection(c_in, c_out) if projects else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        first = self.edges["1_0"](x)
        second = self.edges["2_0"](x) + self.edges["2_1"](first)
        return self.skip(x) + self.edges["3_1"](first) + self.edges["3_2"](second)


class SizedNetwork(nn.Module):
    """Stem, cell, residual block, cell, residual block, cell, pooling, classifier.

    Args:
        widths: Channels of the stem and the first cell, and of each of the four layers after it.
        input_channels: Of the images.
        classes: Number of logits.
        projects: Whether skips are convolutions even where the width stays.
    """

    config: dict[str, object]  # the arguments that it was built with

    def __init__(
        self, widths: list[int], input_channels: int, classes: int, projects: bool = False
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(input_channels, widths[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(widths[0]),
        )
        self.layers = nn.ModuleList([SizedCell(widths[0], widths[0], False)])
        for layer in range(1, len(widths)):
            c_in, c_out = widths[layer - 1], widths[layer]
            self.layers.append(
                ResidualBlock(c_in, c_out, True)
                if layer % 2
                else SizedCell(c_in, c_out, projects or c_in != c_out)
            )
        self.norm = nn.BatchNorm2d(widths[-1])
        self.classifier = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [B, classes]."""
        x = self.stem(x)
        for layer in self.layers:
            x = layer(x)
        return self.classifier(F.relu(self.norm(x)).mean(dim=(2, 3)))
