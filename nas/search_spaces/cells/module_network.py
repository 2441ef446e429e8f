"""The networks of TransNAS-Bench-101 for classification, in plain PyTorch.

Source: Duan et al., TransNAS-Bench-101, CVPR 2021, arXiv:2105.11871, sec. 3.1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nas.search_spaces.cells.dense_network import DenseCell
from nas.search_spaces.cells.operations import FactorizedReduce, ReLUConvBN


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: a 1x1 convolution where the shape changes.

    The published code gives the shortcut's batch norm an epsilon and a momentum of 1, by passing
    `affine` in their place; here they are as everywhere.
    """

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        self.first = ReLUConvBN(c_in, c_out, 3, stride)
        self.second = ReLUConvBN(c_out, c_out, 3)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or c_in != c_out:
            conv = nn.Conv2d(c_in, c_out, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(c_out))

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.second(self.first(x))


def make_wide_operation(name: str, c_in: int, c_out: int, stride: int, affine: bool) -> nn.Module:
    """Make an operation, other than `none`, that may change the number of channels."""
    if name == "skip_connect":
        same = stride == 1 and c_in == c_out
        return nn.Identity() if same else FactorizedReduce(c_in, c_out, affine)
    if name in ("nor_conv_1x1", "nor_conv_3x3"):
        return ReLUConvBN(c_in, c_out, int(name[-1]), stride, affine)
    raise ValueError(f"unknown operation '{name}'")


def halved_zeros(x: Tensor, channels: int) -> Tensor:
    """Return zeros [B, channels, H / 2, W / 2] for x, [B, C, H, W]; sizes are rounded up."""
    size = (x.shape[0], channels, (x.shape[2] + 1) // 2, (x.shape[3] + 1) // 2)
    return torch.zeros(size, dtype=x.dtype, device=x.device)


class HalvingCell(nn.Module):
    """A cell of four states whose edges from state 0 halve the resolution and widen.

    `operations` names the operation of edge (1<-0), (2<-0), (2<-1), (3<-0), (3<-1), (3<-2).
    """

    def __init__(self, operations: list[str], c_in: int, c_out: int, affine: bool) -> None:
        super().__init__()
        edges = [(target, source) for target in range(1, 4) for source in range(target)]
        self.channels = c_out
        self.sources: list[list[int]] = [[], [], [], []]
        self.edges = nn.ModuleDict()
        for (target, source), name in zip(edges, operations, strict=True):
            if name != "none":
                before, stride = (c_out, 1) if source else (c_in, 2)
                edge = make_wide_operation(name, before, c_out, stride, affine)
                self.edges[f"{target}_{source}"] = edge
                self.sources[target].append(source)

    def forward(self, x: Tensor) -> Tensor:
        states = [x]
        for target in range(1, 4):
            terms = [self.edges[f"{target}_{s}"](states[s]) for s in self.sources[target]]
            state = torch.stack(terms).sum(0) if terms else halved_zeros(x, self.channels)
            states.append(state)
        return states[-1]


class ModuleStack(nn.Module):
    """Stem, modules of several blocks, global pooling, classifier.

    The first block of a module may double the channels (codes 2 and 4) or halve the resolution
    (codes 3 and 4).
    """

    def __init__(
        self, input_channels: int, classes: int, modules: str, channels: int, blocks: int, stem: str
    ) -> None:
        super().__init__()
        self.stem = self.make_stem(input_channels, channels, stem)
        self.blocks = nn.ModuleList()
        for code in modules:
            wider = channels * (2 if code in "24" else 1)
            self.blocks.append(self.make_block(channels, wider, 2 if code in "34" else 1))
            self.blocks.extend(self.make_block(wider, wider, 1) for _ in range(blocks - 1))
            channels = wider
        self.classifier = nn.Linear(channels, classes)

    @staticmethod
    def make_stem(input_channels: int, channels: int, kind: str) -> nn.Sequential:
        """Make the layers before the modules: resolution / 4 ("imagenet") or as it is ("cifar")."""
        first, stride = (channels // 2, 2) if kind == "imagenet" else (channels, 1)
        conv = nn.Conv2d(input_channels, first, 3, stride, padding=1, bias=False)
        stem = nn.Sequential(conv, nn.BatchNorm2d(first))
        if kind == "imagenet":
            stem.append(ReLUConvBN(first, channels, 3, stride=2))
        return stem

    def make_block(self, c_in: int, c_out: int, stride: int) -> nn.Module:
        """Make one block."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [B, classes]."""
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.classifier(x.mean(dim=(2, 3)))


class BasicModuleNetwork(ModuleStack):
    """Modules of residual blocks.

    Args:
        input_channels: Of the images.
        classes: Number of logits.
        modules: A code each: "1", "2" doubles the channels, "3" halves the resolution, "4" both.
        channels: Before the modules.
        blocks: Blocks a module.
        stem: "imagenet" (resolution / 4) or "cifar".
    """

    config: dict[str, object]  # the arguments that it was built with

    def __init__(
        self,
        input_channels: int,
        classes: int,
        modules: str,
        channels: int = 64,
        blocks: int = 2,
        stem: str = "imagenet",
    ) -> None:
        super().__init__(input_channels, classes, modules, channels, blocks, stem)

    def make_block(self, c_in: int, c_out: int, stride: int) -> nn.Module:
        return BasicBlock(c_in, c_out, stride)


class CellModuleNetwork(ModuleStack):
    """Modules of cells of four states; modules are of code "1" or "4".

    Args:
        operations: The operation of every edge, as for `HalvingCell`.
        affine: Whether batch norm in cells has scale and shift.
        partial_channels: 1, or k for operations that see every k-th part of the channels, in cells
            that keep the number of channels.
        input_channels, classes, modules, channels, blocks, stem: As for `BasicModuleNetwork`.
    """

    config: dict[str, object]  # the arguments that it was built with

    def __init__(
        self,
        operations: list[str],
        input_channels: int,
        classes: int,
        modules: str,
        channels: int = 64,
        blocks: int = 2,
        stem: str = "imagenet",
        affine: bool = True,
        partial_channels: int = 1,
    ) -> None:
        self.operations = list(operations)
        self.cell_options = (affine, partial_channels)
        super().__init__(input_channels, classes, modules, channels, blocks, stem)

    def make_block(self, c_in: int, c_out: int, stride: int) -> nn.Module:
        affine, _ = self.cell_options
        if stride == 1 and c_in == c_out:
            return DenseCell(self.operations, c_in, *self.cell_options)
        return HalvingCell(self.operations, c_in, c_out, affine)
