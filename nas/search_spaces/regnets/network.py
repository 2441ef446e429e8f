"""RegNetX and RegNetY in plain PyTorch, with the names of torchvision's parameters.

Source: Radosavovic et al., Designing Network Design Spaces, CVPR 2020, arXiv:2003.13678, sec. 4 and
fig. 20; bottleneck ratio 1.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn


def conv_norm(
    c_in: int, c_out: int, kernel: int = 1, stride: int = 1, groups: int = 1, relu: bool = True
) -> nn.Sequential:
    """Make a convolution, batch norm and perhaps ReLU."""
    padding = kernel // 2
    conv = nn.Conv2d(c_in, c_out, kernel, stride, padding, groups=groups, bias=False)
    last = [nn.ReLU(inplace=True)] if relu else []
    return nn.Sequential(conv, nn.BatchNorm2d(c_out), *last)


class SqueezeExcitation(nn.Module):
    """Weigh channels by what a bottleneck makes of their means."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.activation = nn.ReLU()
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.scale_activation = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        squeezed = self.activation(self.fc1(x.mean(dim=(2, 3), keepdim=True)))
        scale: Tensor = self.scale_activation(self.fc2(squeezed))
        return x * scale


class Projection(nn.Sequential):
    """1x1 convolution and batch norm that a skip connection passes where the shape changes."""

    sharing_key = None  # weights of skip connections are never passed on to other networks

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__(*conv_norm(c_in, c_out, 1, stride, relu=False))


class RegNetBlock(nn.Module):
    """1x1, grouped 3x3, perhaps squeeze-and-excitation, 1x1, and a skip.

    Args:
        c_in: Channels of the input; of the squeeze, a quarter of it.
        c_out: Channels of everything else.
        group: Channels of a group of the 3x3 convolution.
        stride: Of the 3x3 convolution.
        se_ratio: Share of c_in that squeeze-and-excitation has inside; 0 is without.
    """

    def __init__(self, c_in: int, c_out: int, group: int, stride: int, se_ratio: float) -> None:
        super().__init__()
        if stride > 1 or c_in != c_out:
            self.proj = Projection(c_in, c_out, stride)
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["a"] = conv_norm(c_in, c_out)
        layers["b"] = conv_norm(c_out, c_out, 3, stride, c_out // group)
        if se_ratio:
            layers["se"] = SqueezeExcitation(c_out, max(1, round(se_ratio * c_in)))
        layers["c"] = conv_norm(c_out, c_out, relu=False)
        self.f = nn.Sequential(layers)
        self.activation = nn.ReLU(inplace=True)
        self.projects = stride > 1 or c_in != c_out

    def forward(self, x: Tensor) -> Tensor:
        skip = self.proj(x) if self.projects else x
        y: Tensor = self.activation(skip + self.f(x))
        return y


class RegNet(nn.Module):
    """Stem, stages, pooling, classifier.

    Args:
        widths: Channels of every stage.
        depths: Blocks of every stage.
        groups: Channels a group, of every stage.
        se_ratio: Of every block; 0 is without (RegNetX), 0.25 is RegNetY.
        input_channels: Of the images.
        classes: Number of logits.
        stem: "imagenet" halves the resolution in the stem and in every stage; "cifar" leaves out
            the first two halvings.
        stem_channels: Channels of the stem.
    """

    config: dict[str, object]  # the arguments that it was built with

    def __init__(
        self,
        widths: Sequence[int],
        depths: Sequence[int],
        groups: Sequence[int],
        se_ratio: float,
        input_channels: int,
        classes: int,
        stem: str = "imagenet",
        stem_channels: int = 32,
    ) -> None:
        super().__init__()
        small = stem == "cifar"
        self.stem = conv_norm(input_channels, stem_channels, 3, 1 if small else 2)
        stages: OrderedDict[str, nn.Module] = OrderedDict()
        c_in = stem_channels
        for number, (width, depth, group) in enumerate(zip(widths, depths, groups, strict=True), 1):
            blocks: OrderedDict[str, nn.Module] = OrderedDict()
            for place in range(depth):
                stride = 2 if place == 0 and not (small and number == 1) else 1
                block = RegNetBlock(c_in, width, group, stride, se_ratio)
                blocks[f"block{number}-{place}"] = block
                c_in = width
            stages[f"block{number}"] = nn.Sequential(blocks)
        self.trunk_output = nn.Sequential(stages)
        self.fc = nn.Linear(c_in, classes)
        self.reset()

    def reset(self) -> None:
        """Draw weights as the paper's code does (He et al., by what leaves a layer)."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
                nn.init.normal_(module.weight, 0.0, math.sqrt(2.0 / fan_out))
        nn.init.normal_(self.fc.weight, 0.0, 0.01)
        nn.init.zeros_(self.fc.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [B, classes]."""
        x = self.trunk_output(self.stem(x))
        logits: Tensor = self.fc(x.mean(dim=(2, 3)))
        return logits
