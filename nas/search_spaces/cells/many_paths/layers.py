"""Writes down what the modules of cells compute."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.cells.dense_network import ResidualBlock
from nas.search_spaces.cells.many_paths.images import Convolution, convolution, halve, pooling
from nas.search_spaces.cells.many_paths.steps import Norm, Steps
from nas.search_spaces.cells.operations import (
    Conv7x1,
    DilConv,
    FactorizedReduce,
    Pool,
    ReLUConvBN,
    SepConv,
)

__all__ = ["Layer", "relu", "write"]


class Layer:
    """A module, with its own tensors or those that are kept for it elsewhere.

    Args:
        name: Where its weights are.
        module: What it is.
        tensors: By name; None takes the module's own.
        prefix: Of the names.
    """

    def __init__(
        self,
        name: str,
        module: nn.Module,
        tensors: Mapping[str, Tensor] | None = None,
        prefix: str = "",
    ) -> None:
        self.name, self.module, self.prefix = name, module, prefix
        self.tensors = dict(module.named_parameters()) if tensors is None else tensors

    def part(self, name: str) -> Layer:
        """Return a module in it."""
        module, prefix = self.module.get_submodule(name), f"{self.prefix}{name}."
        return Layer(f"{self.name}.{name}", module, self.tensors, prefix)

    def weight(self, name: str) -> Tensor:
        """Return the weight of a convolution in it."""
        return self.tensors[f"{self.prefix}{name}.weight"].detach()

    def norm(self, name: str) -> Norm:
        """Return what a batch norm in it needs to know."""
        module = self.module.get_submodule(name)
        assert isinstance(module, nn.BatchNorm2d)
        found = (self.tensors.get(f"{self.prefix}{name}.{kind}") for kind in ("weight", "bias"))
        weight, bias = (None if tensor is None else tensor.detach() for tensor in found)
        return weight, bias, module.eps

    def convolution(self, name: str) -> Convolution:
        """Return a convolution in it as a function."""
        module = self.module.get_submodule(name)
        assert isinstance(module, nn.Conv2d) and module.bias is None
        return convolution(module)


def write(steps: Steps, layer: Layer, x: int) -> int:
    """Write down a module of cells, or a sequence of PyTorch's.

    Args:
        steps: Where to.
        layer: The module.
        x: Its input.

    Returns:
        Its output.

    Raises:
        NotImplementedError: For another module.
    """
    writer = _WRITERS.get(type(layer.module))
    if writer is None:
        kind = type(layer.module).__name__
        raise NotImplementedError(f"{kind} at '{layer.name}' cannot be written down")
    return writer(steps, layer, x)


def relu(steps: Steps, x: int) -> int:
    """Write down the positive part."""
    return steps.apply("relu", F.relu, x)


def _conv(steps: Steps, layer: Layer, name: str, x: int) -> int:
    run, weight = layer.convolution(name), layer.weight(name)
    return steps.apply(f"{layer.name}.{name}", lambda x: run(x, weight, None), x)


def _conv_norm(steps: Steps, layer: Layer, conv: str, norm: str, x: int) -> int:
    run, weight = layer.convolution(conv), layer.weight(conv)
    return steps.convolve(f"{layer.name}.{conv}", run, weight, layer.norm(norm), x)


def _identity(steps: Steps, layer: Layer, x: int) -> int:
    return x


def _sequence(steps: Steps, layer: Layer, x: int) -> int:
    inner = dict(layer.module.named_children())
    for (name, module), after in zip(inner.items(), [*inner, ""][1:], strict=True):
        if isinstance(module, nn.Conv2d) and isinstance(inner.get(after), nn.BatchNorm2d):
            x = _conv_norm(steps, layer, name, after, x)
        elif isinstance(module, nn.Conv2d):
            x = _conv(steps, layer, name, x)
        elif isinstance(module, nn.ReLU):
            x = relu(steps, x)
        elif isinstance(module, nn.AvgPool2d):
            x = steps.apply(f"{module}", pooling(module), x)
        elif not isinstance(module, nn.BatchNorm2d):  # that went with the convolution
            raise NotImplementedError(f"{module} at '{layer.name}' cannot be written down")
    return x


def _relu_conv(steps: Steps, layer: Layer, x: int) -> int:
    return _conv_norm(steps, layer, "conv", "norm", relu(steps, x))


def _separable(steps: Steps, layer: Layer, x: int) -> int:
    x = _conv(steps, layer, "depthwise", relu(steps, x))
    return _conv_norm(steps, layer, "pointwise", "norm", x)


def _twice_separable(steps: Steps, layer: Layer, x: int) -> int:
    return _separable(steps, layer.part("second"), _separable(steps, layer.part("first"), x))


def _row_column(steps: Steps, layer: Layer, x: int) -> int:
    x = _conv(steps, layer, "row", relu(steps, x))
    return _conv_norm(steps, layer, "column", "norm", x)


def _reduce(steps: Steps, layer: Layer, x: int) -> int:
    """Run both convolutions of 1x1 as one of 2x2."""
    even = F.pad(layer.weight("even"), (0, 1, 0, 1))
    odd = F.pad(layer.weight("odd"), (1, 0, 1, 0))
    weight = torch.cat([even, odd])
    return steps.convolve(layer.name, halve, weight, layer.norm("norm"), relu(steps, x))


def _pool(steps: Steps, layer: Layer, x: int) -> int:
    module = layer.module
    assert isinstance(module, Pool)
    x = steps.apply(f"{module.pool}", pooling(module.pool), x)
    if isinstance(module.norm, nn.Identity):
        return x
    return steps.normalise("pooled", layer.norm("norm"), x)


def _residual(steps: Steps, layer: Layer, x: int) -> int:
    inner = write(steps, layer.part("second"), write(steps, layer.part("first"), x))
    return steps.add([write(steps, layer.part("shortcut"), x), inner])


_WRITERS: dict[type[nn.Module], Callable[[Steps, Layer, int], int]] = {
    nn.Identity: _identity,
    nn.Sequential: _sequence,
    ReLUConvBN: _relu_conv,
    DilConv: _separable,
    SepConv: _twice_separable,
    Conv7x1: _row_column,
    FactorizedReduce: _reduce,
    Pool: _pool,
    ResidualBlock: _residual,
}
