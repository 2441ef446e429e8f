"""Blocks of which one inner size varies: how a smaller size is run, and cut out."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Protocol

from torch import Tensor, nn
from torch.nn import functional as F

from nas.errors import NasError

__all__ = ["ELASTIC", "ElasticKind"]


class ElasticKind(Protocol):
    """One size of a block that may vary."""

    def require(self, module: nn.Module, sizes: Sequence[int]) -> None:
        """Raise `NasError` unless the block can run at all these sizes."""

    def run(self, module: nn.Module, size: int, x: Tensor) -> Tensor:
        """Run the block at one size with a part of its weights."""

    def extract(self, module: nn.Module, size: int) -> nn.Module:
        """Return a plain block of one size with copies of that part of the weights."""


def _require_sizes(what: str, sizes: Sequence[int], largest: int) -> None:
    if len(set(sizes)) != len(sizes) or not sizes or min(sizes) < 1 or max(sizes) > largest:
        raise NasError(f"Elastic {what}={tuple(sizes)}: distinct sizes from 1 to {largest} needed")


def _layers(module: nn.Module) -> list[nn.Module]:
    """Return the modules of a `Sequential`; one that stands in it twice is there twice."""
    assert isinstance(module, nn.Sequential)
    return list(module)


def _require_zero_padding(what: str, module: nn.Module) -> None:
    mode = getattr(module, "padding_mode", "zeros")
    if mode != "zeros":
        raise NasError(f"Elastic {what}: padding_mode '{mode}'; only 'zeros' can be cut")


class ElasticDepth:
    """The first modules of a `Sequential`."""

    def require(self, module: nn.Module, sizes: Sequence[int]) -> None:
        if not isinstance(module, nn.Sequential):
            raise NasError(f"Elastic depth needs a Sequential, not {type(module).__name__}")
        _require_sizes("depth", sizes, len(module))
        idle = len(module) - max(sizes)
        if idle:
            raise NasError(
                f"Elastic depth={tuple(sizes)}: the last {idle} of {len(module)} modules never run"
            )

    def run(self, module: nn.Module, size: int, x: Tensor) -> Tensor:
        for child in _layers(module)[:size]:
            x = child(x)
        return x

    def extract(self, module: nn.Module, size: int) -> nn.Module:
        return nn.Sequential(*_layers(module)[:size])


class ElasticKernel:
    """The centre of a convolution's kernel (Cai et al., Once-for-All, arXiv:1908.09791, sec. 3.3).

    Without the kernel transformation matrices of that paper: a smaller kernel is the centre as is.
    """

    def require(self, module: nn.Module, sizes: Sequence[int]) -> None:
        if not isinstance(module, nn.Conv2d) or module.kernel_size[0] != module.kernel_size[1]:
            raise NasError("Elastic kernel_size needs one Conv2d with a square kernel")
        _require_zero_padding("kernel_size", module)
        largest = module.kernel_size[0]
        _require_sizes("kernel_size", sizes, largest)
        if module.padding_mode != "zeros":
            raise NasError(f"Elastic kernel_size: padding with zeros, not {module.padding_mode}")
        if any(size % 2 == 0 for size in (*sizes, largest)):
            raise NasError(f"Elastic kernel_size={tuple(sizes)}: odd sizes are needed")
        if module.padding != self._padding(module, largest):
            raise NasError(
                f"Elastic kernel_size: padding {self._padding(module, largest)} is needed so that "
                f"all sizes give one shape; the Conv2d has {module.padding}"
            )

    @staticmethod
    def _padding(module: nn.Conv2d, size: int) -> tuple[int, int]:
        return (module.dilation[0] * (size // 2), module.dilation[1] * (size // 2))

    @staticmethod
    def _centre(weight: Tensor, size: int) -> Tensor:
        start = (weight.shape[-1] - size) // 2
        return weight[..., start : start + size, start : start + size]

    def run(self, module: nn.Module, size: int, x: Tensor) -> Tensor:
        assert isinstance(module, nn.Conv2d)
        weight, padding = self._centre(module.weight, size), self._padding(module, size)
        bias, stride, dilation = module.bias, module.stride, module.dilation
        return F.conv2d(x, weight, bias, stride, padding, dilation, module.groups)

    def extract(self, module: nn.Module, size: int) -> nn.Module:
        assert isinstance(module, nn.Conv2d)
        small = copy.deepcopy(module)
        small.kernel_size, small.padding = (size, size), self._padding(module, size)
        small.weight = nn.Parameter(self._centre(module.weight, size).detach().clone())
        return small


_PER_FEATURE = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Tanh, nn.Hardswish,
    nn.Identity, nn.Dropout, nn.Dropout2d, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d,
)  # fmt: skip


class ElasticWidth:
    """The first features between the first and the last layer of a `Sequential`."""

    def require(self, module: nn.Module, sizes: Sequence[int]) -> None:
        ends = (nn.Linear, nn.Conv2d)
        if not isinstance(module, nn.Sequential) or len(module) < 2:
            raise NasError("Elastic width needs a Sequential of at least two layers")
        layers = _layers(module)
        for layer in (layers[0], layers[-1]):
            if not isinstance(layer, ends) or getattr(layer, "groups", 1) != 1:
                raise NasError(
                    "Elastic width: the Sequential must start and end with a Linear or an "
                    f"ungrouped Conv2d; got {layer}"
                )
        for layer in layers[1:-1]:
            self._require_per_feature(layer)
        for layer in layers:
            _require_zero_padding("width", layer)
        first = layers[0].weight
        assert isinstance(first, Tensor)
        _require_sizes("width", sizes, first.shape[0])

    @staticmethod
    def _require_per_feature(layer: nn.Module) -> None:
        depthwise = isinstance(layer, nn.Conv2d) and (
            layer.groups == layer.in_channels == layer.out_channels
        )
        norm = isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d))
        if not (depthwise or norm or isinstance(layer, _PER_FEATURE)):
            raise NasError(
                f"Elastic width: {layer} does not treat every feature alone; allowed between the "
                "ends are activations, pooling, dropout, batch norm and depthwise Conv2d"
            )

    def run(self, module: nn.Module, size: int, x: Tensor) -> Tensor:
        layers = _layers(module)
        x = _run_layer(layers[0], x, rows=size)
        for layer in layers[1:-1]:
            x = _run_layer(layer, x, rows=size)
        return _run_layer(layers[-1], x, columns=size)

    def extract(self, module: nn.Module, size: int) -> nn.Module:
        *layers, last = _layers(module)
        small = {layer: _cut_layer(layer, rows=size) for layer in layers}
        return nn.Sequential(*(small[layer] for layer in layers), _cut_layer(last, columns=size))


def _run_layer(
    layer: nn.Module, x: Tensor, rows: int | None = None, columns: int | None = None
) -> Tensor:
    """Run a layer with its first `rows` output and `columns` input features."""
    if isinstance(layer, nn.Linear):
        return F.linear(x, layer.weight[:rows, :columns], _head(layer.bias, rows))
    if isinstance(layer, nn.Conv2d):
        groups = rows if rows is not None and layer.groups > 1 else 1
        weight, bias = layer.weight[:rows, :columns], _head(layer.bias, rows)
        return F.conv2d(x, weight, bias, layer.stride, layer.padding, layer.dilation, groups)
    if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
        return _run_norm(layer, x, rows)
    output: Tensor = layer(x)
    return output


def _run_norm(layer: nn.BatchNorm1d | nn.BatchNorm2d, x: Tensor, rows: int | None) -> Tensor:
    """Batch norm on the first features; running statistics are updated as the layer would."""
    mean, var = _head(layer.running_mean, rows), _head(layer.running_var, rows)
    momentum = layer.momentum if layer.momentum is not None else 0.0
    if layer.training and layer.num_batches_tracked is not None:
        layer.num_batches_tracked += 1
        if layer.momentum is None:  # a cumulative average
            momentum = 1.0 / float(layer.num_batches_tracked)
    batch_statistics = layer.training or mean is None
    weight, bias = _head(layer.weight, rows), _head(layer.bias, rows)
    return F.batch_norm(x, mean, var, weight, bias, batch_statistics, momentum, layer.eps)


def _head(tensor: Tensor | None, rows: int | None) -> Tensor | None:
    return None if tensor is None else tensor[:rows]


def _cut_layer(layer: nn.Module, rows: int | None = None, columns: int | None = None) -> nn.Module:
    """Return a copy of a layer with its first `rows` output and `columns` input features."""
    small = copy.deepcopy(layer)
    for name, tensor in [*layer.named_parameters(), *layer.named_buffers()]:
        if tensor.ndim:
            part = tensor[:rows, :columns] if tensor.ndim > 1 else tensor[:rows]
            data = part.detach().clone()
            setattr(small, name, nn.Parameter(data) if isinstance(tensor, nn.Parameter) else data)
    if isinstance(small, nn.Linear):
        small.out_features, small.in_features = small.weight.shape
    elif isinstance(small, nn.Conv2d):
        small.groups = small.weight.shape[0] if small.groups > 1 else 1
        small.out_channels = small.weight.shape[0]
        small.in_channels = small.weight.shape[1] * small.groups
    elif isinstance(small, (nn.BatchNorm1d, nn.BatchNorm2d)):
        small.num_features = rows or small.num_features
    return small


ELASTIC: dict[str, ElasticKind] = {
    "width": ElasticWidth(),
    "kernel_size": ElasticKernel(),
    "depth": ElasticDepth(),
}
