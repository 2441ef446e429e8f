"""The network of NATS-Bench's size search space with every width a choice.

A narrower layer is the first channels of a wider one. A mixture of widths is computed at the
largest of them, and each channel weighs what the widths that have it weigh together (Wan et al.,
FBNetV2, CVPR 2020, arXiv:2004.05565, sec. 3.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.cells.dense_network import ResidualBlock
from nas.search_spaces.cells.operations import ReLUConvBN
from nas.search_spaces.cells.sized_network import Projection, SizedCell, SizedNetwork
from nas.search_spaces.sliced.choice import Size
from nas.search_spaces.sliced.layers import batch_norm
from nas.space import Decision

__all__ = ["SizedSupernetwork"]


# -- layers at a part of their width --------------------------------------------------------------


def conv(layer: nn.Module, x: Tensor, width: int) -> Tensor:
    """Run a convolution with its first `width` outputs and as many inputs as there are."""
    assert isinstance(layer, nn.Conv2d)
    weight = layer.weight[:width, : x.shape[1]]
    return F.conv2d(x, weight, None, layer.stride, layer.padding)


def relu_conv_norm(layer: nn.Module, x: Tensor, width: int) -> Tensor:
    """Run a `ReLUConvBN`."""
    assert isinstance(layer, ReLUConvBN)
    return batch_norm(layer.norm, conv(layer.conv, F.relu(x), width))


def residual_block(block: ResidualBlock, x: Tensor, width: int) -> Tensor:
    """Run a `ResidualBlock`."""
    pool, shortcut = block.shortcut
    y = relu_conv_norm(block.second, relu_conv_norm(block.first, x, width), width)
    return conv(shortcut, pool(x), width) + y


# -- the network ----------------------------------------------------------------------------------


class SizedSupernetwork(nn.Module):
    """`SizedNetwork` with a choice of every width.

    Args:
        names: Of the gates.
        widths: The options of each.
        input_channels, classes: As for `SizedNetwork`.
    """

    def __init__(
        self, names: Sequence[str], widths: Sequence[int], input_channels: int, classes: int
    ) -> None:
        super().__init__()
        self.shape = (input_channels, classes)
        self.gates = nn.ModuleList(Size(Decision(n, tuple(widths), ordered=True)) for n in names)
        largest = [max(widths)] * len(names)
        self.largest = SizedNetwork(largest, *self.shape, projects=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [B, classes]."""
        gates = [gate for gate in self.gates if isinstance(gate, Size)]
        first, stem = gates[0], self.largest.stem
        x = first.masked(batch_norm(stem[1], conv(stem[0], x, first.largest)))
        for before, gate, layer in zip([first, *gates], gates, self.largest.layers, strict=False):
            x = self._layer(layer, x, before, gate)
        x = F.relu(batch_norm(self.largest.norm, x)).mean(dim=(2, 3))
        classifier = self.largest.classifier
        return F.linear(x, classifier.weight[:, : x.shape[1]], classifier.bias)

    @staticmethod
    def _layer(layer: nn.Module, x: Tensor, before: Size, gate: Size) -> Tensor:
        if isinstance(layer, ResidualBlock):
            return gate.masked(residual_block(layer, x, gate.largest))
        assert isinstance(layer, SizedCell)
        edges, width = layer.edges, gate.largest
        first = relu_conv_norm(edges["1_0"], x, width)
        second = relu_conv_norm(edges["2_0"], x, width)
        second = second + relu_conv_norm(edges["2_1"], first, width)
        last = relu_conv_norm(edges["3_1"], first, width)
        last = last + relu_conv_norm(edges["3_2"], second, width)
        if isinstance(layer.skip, Projection):
            return gate.masked(last) + _skip(layer.skip, x, before, gate)
        return gate.masked(last + x)

    def collapsed(self, path: Mapping[str, int | tuple[int, ...]]) -> nn.Module:
        """Return the plain network of a path, with copies of the channels that it runs."""
        widths = []
        for gate in self.gates:
            assert isinstance(gate, Size)
            index = path[gate.label or ""]
            assert isinstance(index, int)
            widths.append(gate.options[index])
        config = {"widths": widths, "input_channels": self.shape[0], "classes": self.shape[1]}
        network = SizedNetwork(widths, *self.shape).to(self.largest.classifier.weight)
        network.config = dict(config)
        wide = self.largest.state_dict()
        network.load_state_dict(
            {
                name: wide[name][tuple(slice(0, size) for size in tensor.shape)]
                for name, tensor in network.state_dict().items()
            }
        )
        return network.train(self.training)


def _skip(layer: Projection, x: Tensor, before: Size, gate: Size) -> Tensor:
    """Pass on what keeps its width, project what does not, each by the weight of its pairs."""
    same = sorted(set(before.active) & set(gate.active))
    differ = len({*before.active, *gate.active}) > 1
    if not (isinstance(before.selection, Tensor) or isinstance(gate.selection, Tensor)):
        return batch_norm(layer.norm, conv(layer.conv, x, gate.largest)) if differ else x
    mine, theirs = _row(gate, x), _row(before, x)
    total = x.new_zeros(1, gate.largest, 1, 1)
    if same:
        width = gate.options[same[-1]]
        kept = _by_channel(gate, mine * theirs)[:, :width] * x[:, :width]
        total = F.pad(kept, (0, 0, 0, 0, 0, gate.largest - width))
    if differ:
        y = batch_norm(layer.norm, conv(layer.conv, x, gate.largest))
        total = total + _by_channel(gate, mine * (theirs.sum() - theirs)) * y
    return total


def _by_channel(gate: Size, weights: Tensor) -> Tensor:
    return gate.by_feature(weights).view(1, -1, 1, 1)


def _row(gate: Size, like: Tensor) -> Tensor:
    """Return the weights of this pass, [options]; of a path, ones and zeros."""
    if isinstance(gate.selection, Tensor):
        return gate.selection
    row = torch.zeros(len(gate.options), dtype=like.dtype, device=like.device)
    row[list(gate.active)] = 1.0
    return row
