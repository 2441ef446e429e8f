"""The network of once-for-all with every size a choice: what `Supernet` wraps.

Narrower layers are the first channels of wider ones, smaller kernels the centres of larger ones
(without the transformation matrices of sec. 3.3, so that extraction is a copy), shallower stages
the first blocks of deeper ones. Of a mixture of depths the outputs are added, each with its weight;
mixtures of kernels are one convolution; mixtures of expansions and widths weigh channels.
Squeeze-and-excitation sees the channels of the largest.

Source: Cai et al., Once-for-All, ICLR 2020, arXiv:1908.09791, sec. 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.mobile.network import (
    MobileBlock,
    MobileNetwork,
    SqueezeExcitation,
    divisible,
    widths,
)
from nas.search_spaces.sliced.choice import Choice, Size, chosen
from nas.search_spaces.sliced.layers import (
    batch_norm,
    centre,
    conv,
    copy_parts,
    depthwise,
    linear,
)
from nas.space import Decision

__all__ = ["MobileSupernetwork", "plain_settings"]


class MobileSupernetwork(nn.Module):
    """`MobileNetwork` with a choice of every decision.

    Args:
        decisions: "width"; for every stage i from 1, "depth{i}", "se{i}" and, for every block j
            from 1, "kernel{i}.{j}" and "expansion{i}.{j}".
        settings: Other arguments of `MobileNetwork`.
        scale: What widths are multiplied by.
    """

    def __init__(
        self, decisions: Sequence[Decision], settings: Mapping[str, Any], scale: float
    ) -> None:
        super().__init__()
        self.settings, self.scale = dict(settings), scale
        self.choices = nn.ModuleList(_choice(decision) for decision in decisions)
        self._number = {decision.name: i for i, decision in enumerate(decisions)}
        largest = {decision.name: decision.options[-1] for decision in decisions}
        self.largest = MobileNetwork(**plain_settings(largest, scale), **self.settings)
        self.channels = [widths(float(f) * scale) for f in self._choice("width").options]

    def _choice(self, name: str) -> Choice[Any]:
        choice = self.choices[self._number[name]]
        assert isinstance(choice, Choice)
        return choice

    def _size(self, name: str) -> Size:
        size = self._choice(name)
        assert isinstance(size, Size)
        return size

    # -- execution ----------------------------------------------------------------------------

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [B, classes]."""
        net = self.largest
        x = self._widened(F.hardswish(self._conv_norm(net.stem, x, 0)), 0)
        x = self._block(net.first, x, 1)
        for number, stage in enumerate(net.stages, 1):
            assert isinstance(stage, nn.ModuleList)
            x = self._stage(stage, x, number)
        x = F.hardswish(self._conv_norm(net.last, x, -2))
        x = self._widened(x, -2).mean(dim=(2, 3), keepdim=True)
        x = F.hardswish(conv(net.mix, x, self._width(-1))).flatten(1)
        return linear(net.classifier, net.dropout(self._widened(x, -1)))

    def _width(self, place: int) -> int:
        """Return the channels of one of `WIDTHS` at the largest factor that runs."""
        return self.channels[max(self._choice("width").active)][place]

    def _widened(self, x: Tensor, place: int) -> Tensor:
        """Weigh the channels of a mixture of widths."""
        return self._size("width").masked(x, [row[place] for row in self.channels])

    def _conv_norm(self, layer: nn.Module, x: Tensor, place: int) -> Tensor:
        return _norm(layer, conv(_conv(layer), x, self._width(place)))

    def _stage(self, stage: nn.ModuleList, x: Tensor, number: int) -> Tensor:
        depth = self._size(f"depth{number}")
        outputs: dict[int, Tensor] = {}
        for place in range(1, depth.largest + 1):
            x = self._block(stage[place - 1], x, number + 1, f"{number}.{place}")
            outputs[place] = x
        return depth.mix(lambda blocks: outputs[blocks])

    def _block(self, block: nn.Module, x: Tensor, place: int, name: str | None = None) -> Tensor:
        """Run a block; without a name it is the first one, in which only the width varies."""
        assert isinstance(block, MobileBlock)
        hidden = self._expanded(block, x, name) if name else x
        hidden = block.act(_norm(block.depth, self._filtered(block, hidden, name)))
        if name:
            hidden = self._excited(block, hidden, name.partition(".")[0])
            sizes = self._hidden(x, name)
            hidden = self._size(f"expansion{name}").masked(hidden, sizes)
        y = self._widened(self._conv_norm(block.project, hidden, place), place)
        residual = _conv(block.depth).stride == (1, 1) and x.shape[1] == y.shape[1]
        return x + y if residual else y

    def _hidden(self, x: Tensor, name: str) -> list[int]:
        """Return the channels inside for every expansion."""
        return [divisible(x.shape[1] * e) for e in self._size(f"expansion{name}").options]

    def _expanded(self, block: MobileBlock, x: Tensor, name: str) -> Tensor:
        expansion = self._size(f"expansion{name}").largest
        hidden = conv(_conv(block.expand), x, divisible(x.shape[1] * expansion))
        activated: Tensor = block.act(_norm(block.expand, hidden))
        return activated

    def _filtered(self, block: MobileBlock, hidden: Tensor, name: str | None) -> Tensor:
        layer = _conv(block.depth)
        weight = layer.weight[: hidden.shape[1]]
        if name:
            kernel = self._size(f"kernel{name}")
            weight = kernel.masked_kernel(centre(weight, kernel.largest))
        return depthwise(layer, hidden, weight)

    def _excited(self, block: MobileBlock, hidden: Tensor, stage: str) -> Tensor:
        se = block.se
        assert isinstance(se, SqueezeExcitation)
        return self._choice(f"se{stage}").mix(partial(_excite, se, hidden))

    # -- extraction ---------------------------------------------------------------------------

    def collapsed(self, path: Mapping[str, int | tuple[int, ...]]) -> nn.Module:
        """Return the plain network of a path, with copies of the parts that it runs."""
        options = chosen({name: self._choice(name) for name in self._number}, path)
        config = plain_settings(options, self.scale) | self.settings
        network = MobileNetwork(**config).to(self.largest.classifier.weight)
        network.config = config
        copy_parts(self.largest.state_dict(), network)
        return network.train(self.training)


def plain_settings(options: Mapping[str, Any], scale: float) -> dict[str, Any]:
    """Turn decisions and their options into arguments of `MobileNetwork`."""
    stages = sum(name.startswith("depth") for name in options)
    blocks = [
        [
            (options[f"kernel{stage}.{place}"], options[f"expansion{stage}.{place}"])
            for place in range(1, options[f"depth{stage}"] + 1)
        ]
        for stage in range(1, stages + 1)
    ]
    excites = [options[f"se{stage}"] == "yes" for stage in range(1, stages + 1)]
    return {"blocks": blocks, "excites": excites, "width": options["width"] * scale}


def _choice(decision: Decision) -> Choice[Any]:
    return Choice(decision) if decision.name.startswith("se") else Size(decision)


def _conv(layer: nn.Module) -> nn.Conv2d:
    found = layer.get_submodule("conv")
    assert isinstance(found, nn.Conv2d)
    return found


def _norm(layer: nn.Module, x: Tensor) -> Tensor:
    found = layer.get_submodule("norm")
    assert isinstance(found, nn.BatchNorm2d)
    return batch_norm(found, x)


def _excite(se: SqueezeExcitation, x: Tensor, option: str) -> Tensor:
    if option == "no":
        return x
    squeezed = conv(se.reduce, x.mean(dim=(2, 3), keepdim=True), divisible(x.shape[1] // 4))
    return x * F.hardsigmoid(conv(se.expand, F.relu(squeezed), x.shape[1]))
