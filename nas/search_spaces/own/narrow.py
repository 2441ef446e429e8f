"""Candidates of a user with a part of their channels, for PC-DARTS."""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn

from nas.mutables import Elastic

__all__ = ["TooSpecial", "narrowed"]

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMS = (
    nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d,
    nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d,
)  # fmt: skip


class TooSpecial(Exception):
    """A candidate cannot be made narrower; the text says why."""


def narrowed(module: nn.Module, k: int, done: dict[nn.Module, nn.Module]) -> nn.Module:
    """Give every layer inside a module 1/k of its channels, in place.

    A narrower layer has the first of the weights, larger by the square root of k where it sums
    over fewer inputs: so it starts as a layer of that size would.

    Args:
        module: A candidate.
        k: What the channels are divided by.
        done: What was made of modules before; a layer that is shared stays shared.

    Returns:
        The module; another one if it is a layer itself.

    Raises:
        TooSpecial: If some part of it is not known to be cut.
    """
    if module not in done:
        done[module] = _narrowed(module, k, done)
    return done[module]


def _narrowed(module: nn.Module, k: int, done: dict[nn.Module, nn.Module]) -> nn.Module:
    if hasattr(module, "parametrizations"):
        raise TooSpecial(f"the weights of a {type(module).__name__} are computed")
    if isinstance(module, _CONVOLUTIONS):
        return _convolution(module, k)
    if isinstance(module, (*_NORMS, nn.GroupNorm)):
        return _norm(module, k)
    if isinstance(module, Elastic) and module.size == "width":
        raise TooSpecial("the sizes of an Elastic width inside would not fit")
    own = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
    if any(tensor.numel() > 1 for _, tensor in own):  # a single number fits any channels
        raise TooSpecial(f"it is not known how a {type(module).__name__} is made narrower")
    for name, child in list(module._modules.items()):
        if child is not None:
            module._modules[name] = narrowed(child, k, done)
    return module


def _divided(what: str, number: int, k: int) -> int:
    if number % k:
        raise TooSpecial(f"{number} {what} cannot be divided by {k}")
    return number // k


def _convolution(layer: Any, k: int) -> nn.Module:
    small = copy.deepcopy(layer)
    small.in_channels = _divided("channels", layer.in_channels, k)
    small.out_channels = _divided("channels", layer.out_channels, k)
    small.groups = 1 if layer.groups == 1 else _divided("groups of channels", layer.groups, k)
    inputs = small.in_channels // small.groups
    scale = (layer.weight.shape[1] / inputs) ** 0.5
    small.weight = _part(layer.weight[: small.out_channels, :inputs], scale)
    if layer.bias is not None:
        small.bias = _part(layer.bias[: small.out_channels], scale)
    plain: nn.Module = small
    return plain


def _norm(layer: Any, k: int) -> nn.Module:
    small = copy.deepcopy(layer)
    if isinstance(layer, nn.GroupNorm):
        small.num_groups = _divided("groups of channels", layer.num_groups, k)
        small.num_channels = channels = _divided("channels", layer.num_channels, k)
    else:
        small.num_features = channels = _divided("channels", layer.num_features, k)
    for name, tensor in layer.named_parameters(recurse=False):
        setattr(small, name, _part(tensor[:channels], 1.0))
    for name, tensor in layer.named_buffers(recurse=False):
        if tensor.ndim:
            setattr(small, name, tensor[:channels].clone())
    plain: nn.Module = small
    return plain


def _part(tensor: Tensor, scale: float) -> nn.Parameter:
    return nn.Parameter(tensor.detach() * scale)
