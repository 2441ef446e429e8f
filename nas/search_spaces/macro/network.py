"""The network of NAS-Bench-Macro, in plain PyTorch.

Source: Su et al., Prioritized Architecture Sampling with Monto-Carlo Tree Search, CVPR 2021,
arXiv:2103.11922; its code, xiusu/NAS-Bench-Macro.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

BLOCKS = {"identity": (0, 0), "mb3_k3": (3, 3), "mb6_k5": (5, 6)}
"""Operation -> side of the kernel and expansion of its inverted residual block."""


class InvertedResidual(nn.Module):
    """The block of MobileNetV2 (Sandler et al., CVPR 2018, arXiv:1801.04381), with plain ReLU."""

    def __init__(self, c_in: int, c_out: int, kernel: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = c_in * expansion
        padding = kernel // 2
        self.conv = nn.Sequential(
            nn.Conv2d(c_in, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, kernel, stride, padding, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, c_out, 1, bias=False),
            nn.BatchNorm2d(c_out),
        )
        self.residual = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return x + y if self.residual else y


def make_block(operation: str, c_in: int, c_out: int, stride: int) -> nn.Module:
    """Make one operation; where the shape changes, `identity` is a 1x1 convolution."""
    kernel, expansion = BLOCKS[operation]
    if kernel:
        return InvertedResidual(c_in, c_out, kernel, expansion, stride)
    if stride == 1 and c_in == c_out:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))


class MacroStack(nn.Module):
    """Stem, layers in stages, 1x1 convolution, pooling, classifier.

    The first layer of a stage doubles the channels and halves the resolution.
    """

    def __init__(
        self, stages: Sequence[int], input_channels: int, classes: int, channels: int, head: int
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(input_channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )
        self.layers = nn.ModuleList()
        for layers in stages:
            for place in range(layers):
                c_out, stride = (channels, 1) if place else (2 * channels, 2)
                self.layers.append(self.make_layer(len(self.layers), channels, c_out, stride))
                channels = c_out
        self.head = nn.Sequential(
            nn.Conv2d(channels, head, 1, bias=False), nn.BatchNorm2d(head), nn.ReLU()
        )
        self.classifier = nn.Linear(head, classes)

    def make_layer(self, number: int, c_in: int, c_out: int, stride: int) -> nn.Module:
        """Make one layer, counted from 0."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [B, classes]."""
        x = self.stem(x)
        for layer in self.layers:
            x = layer(x)
        logits: Tensor = self.classifier(self.head(x).mean(dim=(2, 3)))
        return logits


class MacroNetwork(MacroStack):
    """The network of one architecture.

    Args:
        operations: Of every layer, names of `BLOCKS`.
        stages: Layers a stage.
        input_channels: Of the images.
        classes: Number of logits.
        channels: Of the stem; doubled by every stage.
        head: Channels of the last convolution.
    """

    config: dict[str, object]  # the arguments that it was built with

    def __init__(
        self,
        operations: Sequence[str],
        stages: Sequence[int],
        input_channels: int,
        classes: int,
        channels: int = 32,
        head: int = 1280,
    ) -> None:
        self.operations = list(operations)
        super().__init__(stages, input_channels, classes, channels, head)

    def make_layer(self, number: int, c_in: int, c_out: int, stride: int) -> nn.Module:
        return make_block(self.operations[number], c_in, c_out, stride)
