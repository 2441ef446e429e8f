"""The network of once-for-all on the blocks of MobileNetV3, in plain PyTorch.

Source: Cai et al., Once-for-All, ICLR 2020, arXiv:1908.09791; its code, mit-han-lab/once-for-all.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

WIDTHS = (16, 16, 24, 40, 80, 112, 160, 960, 1280)
"""Channels of the stem, the first block, five stages and the two last convolutions."""
ACTIVATIONS = (nn.ReLU, nn.ReLU, nn.Hardswish, nn.Hardswish, nn.Hardswish)
STRIDES = {"imagenet": (2, 2, 2, 2, 1, 2), "cifar": (1, 1, 2, 2, 1, 2)}
"""Stem -> strides of the stem and of five stages."""


def divisible(channels: float) -> int:
    """Return the nearest multiple of 8, not more than a tenth below."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def widths(factor: float) -> list[int]:
    """Return `WIDTHS` times a factor."""
    return [divisible(width * factor) for width in WIDTHS]


def conv_norm(c_in: int, c_out: int, kernel: int, stride: int, groups: int = 1) -> nn.Sequential:
    """Make a convolution of "same" padding and batch norm."""
    conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(OrderedDict(conv=conv, norm=nn.BatchNorm2d(c_out)))


class SqueezeExcitation(nn.Module):
    """Weigh channels by what a bottleneck of a quarter makes of their means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = divisible(channels // 4)
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.expand = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        squeezed = F.relu(self.reduce(x.mean(dim=(2, 3), keepdim=True)))
        return x * F.hardsigmoid(self.expand(squeezed))


class MobileBlock(nn.Module):
    """1x1 convolution to more channels, depthwise one, squeeze-and-excitation, 1x1 to fewer.

    Args:
        c_in: Channels of the input.
        c_out: Channels of the output.
        kernel: Side of the depthwise convolution.
        expansion: Channels inside for one of the input; at 1 there is no first convolution.
        stride: Of the depthwise convolution.
        activation: After the first two convolutions.
        excites: Whether there is squeeze-and-excitation.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        expansion: int,
        stride: int,
        activation: type[nn.Module],
        excites: bool,
    ) -> None:
        super().__init__()
        hidden = divisible(c_in * expansion) if expansion > 1 else c_in
        self.expand: nn.Module = nn.Identity()
        if expansion > 1:
            self.expand = conv_norm(c_in, hidden, 1, 1)
        self.act: nn.Module = activation()
        self.depth = conv_norm(hidden, hidden, kernel, stride, groups=hidden)
        self.se: nn.Module = SqueezeExcitation(hidden) if excites else nn.Identity()
        self.project = conv_norm(hidden, c_out, 1, 1)
        self.expands = expansion > 1
        self.residual = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.act(self.expand(x)) if self.expands else x
        y: Tensor = self.project(self.se(self.act(self.depth(hidden))))
        return x + y if self.residual else y


class MobileNetwork(nn.Module):
    """Stem, a block without expansion, five stages, two 1x1 convolutions, classifier.

    Args:
        blocks: Of every stage, the (kernel, expansion) of every block.
        excites: Whether a stage has squeeze-and-excitation.
        width: Of all channels, relative to `WIDTHS`.
        input_channels: Of the images.
        classes: Number of logits.
        stem: A key of `STRIDES`.
        dropout: Share of features before the classifier.
    """

    config: dict[str, object]  # the arguments that it was built with

    def __init__(
        self,
        blocks: Sequence[Sequence[tuple[int, int]]],
        excites: Sequence[bool],
        width: float,
        input_channels: int,
        classes: int,
        stem: str = "imagenet",
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        channels, strides = widths(width), STRIDES[stem]
        self.stem = conv_norm(input_channels, channels[0], 3, strides[0])
        self.first = MobileBlock(channels[0], channels[1], 3, 1, 1, nn.ReLU, False)
        self.stages = nn.ModuleList()
        for number, own in enumerate(blocks):
            stage = nn.ModuleList()
            for place, (kernel, expansion) in enumerate(own):
                c_in = channels[number + 2] if place else channels[number + 1]
                block = MobileBlock(
                    c_in,
                    channels[number + 2],
                    kernel,
                    expansion,
                    1 if place else strides[number + 1],
                    ACTIVATIONS[number],
                    excites[number],
                )
                stage.append(block)
            self.stages.append(stage)
        self.last = conv_norm(channels[-3], channels[-2], 1, 1)
        self.mix = nn.Conv2d(channels[-2], channels[-1], 1, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(channels[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [B, classes]."""
        x = self.first(F.hardswish(self.stem(x)))
        for stage in self.stages:
            assert isinstance(stage, nn.ModuleList)
            for block in stage:
                x = block(x)
        x = F.hardswish(self.last(x)).mean(dim=(2, 3), keepdim=True)
        logits: Tensor = self.classifier(self.dropout(F.hardswish(self.mix(x)).flatten(1)))
        return logits
