"""How many features there are between two layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from nas.elastic.kind import ElasticKind, Part, layers_of, require_sizes, require_zero_padding
from nas.elastic.layers import CONVOLUTIONS, NORMS, cut_layer, run_layer
from nas.errors import NasError

__all__ = ["ElasticWidth"]

_PER_FEATURE = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish,
    nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh, nn.Identity,
    nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool1d,
    nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d,
)  # fmt: skip


class ElasticWidth(ElasticKind):
    """The first features between the first and the last layer of a `Sequential`.

    Layers are `Linear` and ungrouped convolutions; what stands before the first and after the last
    runs as it is.
    """

    def require(self, module: nn.Module, sizes: Sequence[int]) -> None:
        if not isinstance(module, nn.Sequential) or len(module) < 2:
            raise NasError("Elastic width needs a Sequential of at least two layers")
        first, last = self._ends(module)
        layers = layers_of(module)[first : last + 1]
        if len(layers) < 2:
            odd = next((layer for layer in layers_of(module) if not _mixes(layer)), layers[0])
            raise NasError(
                "Elastic width: what is cut must start and end with a Linear or an ungrouped "
                f"convolution; got {odd}"
            )
        for layer in layers[1:-1]:
            self._require_per_feature(layer)
        for layer in layers:
            require_zero_padding("width", layer)
        weight = layers[0].weight
        assert isinstance(weight, Tensor)
        require_sizes("width", sizes, weight.shape[0])

    @staticmethod
    def _ends(module: nn.Module) -> tuple[int, int]:
        """Return the places of the first and the last layer; equal where there are not two."""
        places = [i for i, layer in enumerate(layers_of(module)) if _mixes(layer)] or [0]
        return places[0], places[-1]

    @staticmethod
    def _require_per_feature(layer: nn.Module) -> None:
        depthwise = isinstance(layer, tuple(CONVOLUTIONS)) and (
            layer.groups == layer.in_channels == layer.out_channels
        )
        if not (depthwise or isinstance(layer, (*NORMS, *_PER_FEATURE))):
            raise NasError(
                f"Elastic width: {layer} does not treat every feature alone; allowed between the "
                "ends are activations, pooling, dropout, batch norm and depthwise convolutions"
            )

    def run(self, module: nn.Module, size: int, *inputs: Any, **named: Any) -> Any:
        first, last = self._ends(module)
        [x] = inputs
        for place, layer in enumerate(layers_of(module)):
            if place == last:
                x = run_layer(layer, x, columns=size)
            else:
                x = run_layer(layer, x, rows=size) if first <= place < last else layer(x)
        return x

    def extract(self, module: nn.Module, size: int) -> nn.Module:
        first, last = self._ends(module)
        layers = layers_of(module)
        small = {layer: cut_layer(layer, rows=size) for layer in layers[first:last]}
        inner = [small[layer] for layer in layers[first:last]]
        end = cut_layer(layers[last], columns=size)
        return nn.Sequential(*layers[:first], *inner, end, *layers[last + 1 :])

    def parts(self, module: nn.Module, sizes: Sequence[int]) -> list[Part]:
        first, last = self._ends(module)
        layers, always = layers_of(module), tuple(range(len(sizes)))
        return [(layer, always) for layer in (*layers[:first], *layers[last + 1 :])]


def _mixes(layer: nn.Module) -> bool:
    """Tell whether every feature that a layer gives depends on all that it takes."""
    kinds = (nn.Linear, *CONVOLUTIONS)
    return isinstance(layer, kinds) and getattr(layer, "groups", 1) == 1
