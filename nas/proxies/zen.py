"""Zen-score: how much the features move when the input does, with the scale that norms take out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode

from nas import registry
from nas.proxies.proxy import Inputs, Loss, Parameters, batch_statistics, changed, finite, logits

__all__ = ["zen"]

_ALPHA = 0.01  # the paper's
_ROUNDING = 1e-12  # relative variance of what does not vary


@registry.register(
    "proxies",
    "zen",
    "expressivity with Gaussian weights (Zen-score)",
    "Lin et al., Zen-NAS, ICCV 2021, arXiv:2102.01063",
)
def zen(network: nn.Module, x: Inputs, y: Tensor, loss: Loss) -> float:
    """Return log E|f(x) - f(x + 0.01 e)| + sum over batch norms of log sqrt(mean variance).

    Weights, x and e are Gaussian, drawn from torch's global generator; biases are 0, scales 1. Of
    `x` only the shape counts. f are the last feature maps before the classifier: the last output
    [B, C, ...] with more than one position or, where there is none, the last layer's input.

    Batch norm: statistics of the batch; the second term gives back the scale that it divides by.
    Its variances are those of the pass on x, as in the paper (the authors' code has running
    averages that depend on its number of repeats). A norm whose input does not vary, or that f does
    not depend on, has no scale to give back and is left out. Residual links are kept: what is one
    cannot be told in a general network.

    Source: arXiv:2102.01063, Algorithm 1. Arguments and errors as for `proxy.Proxy`.
    """
    del y, loss
    parameters = _gaussian(network)
    x, _ = changed(x, lambda x: torch.randn_like(x, dtype=torch.float32), "zen")
    moved, _ = changed(x, lambda x: x + _ALPHA * torch.randn_like(x), "zen")
    norms = _Norms(network)
    with batch_statistics(network):
        with norms:
            features = _features(network, parameters, x)
        scale = norms.scale_of(features)
        with torch.no_grad():
            difference = features.detach() - _features(network, parameters, moved)
    change = difference.abs().flatten(1).sum(1).mean().double().log()
    return finite(change + scale, "zen", "the features do not depend on the input")


def _gaussian(network: nn.Module) -> Parameters:
    """Draw weights of all parameters: Gaussian, but 0 for biases and 1 for scales of norms."""
    drawn: Parameters = {}
    for name, parameter in network.named_parameters():
        if parameter.dim() >= 2:
            value = torch.randn_like(parameter)
        else:
            value = torch.full_like(parameter, float(name.rpartition(".")[2] == "weight"))
        drawn[name] = value.requires_grad_()
    return drawn


def _features(network: nn.Module, parameters: Parameters, x: Inputs) -> Tensor:
    last = _LastFeatures(len(x))
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    inputs: list[Tensor] = []
    hooks = [m.register_forward_pre_hook(lambda _, args: inputs.append(args[0])) for m in linear]
    try:
        with last:
            output = logits(network, parameters, x)
    finally:
        for hook in hooks:
            hook.remove()
    if last.found is not None:
        return last.found
    return inputs[-1] if inputs else output


class _LastFeatures(TorchFunctionMode):
    """Remembers the last output [B, C, ...] that has more than one position a channel."""

    def __init__(self, batch: int) -> None:
        super().__init__()
        self.batch = batch
        self.found: Tensor | None = None

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        if isinstance(output, Tensor) and self._is_map(output):
            self.found = output
        return output

    def _is_map(self, output: Tensor) -> bool:
        fits = output.dim() >= 3 and len(output) == self.batch and output.is_floating_point()
        return fits and output[0, 0].numel() > 1


class _Norms:
    """Keeps the variances of what enters the layers of batch norm, and what leaves them."""

    def __init__(self, network: nn.Module) -> None:
        self.layers = [m for m in network.modules() if isinstance(m, _BatchNorm)]
        self.calls: list[tuple[Tensor, Tensor]] = []  # mean variance (not 0), output

    def __enter__(self) -> None:
        self.hooks = [layer.register_forward_hook(self._keep) for layer in self.layers]

    def __exit__(self, *error: object) -> None:
        for hook in self.hooks:
            hook.remove()

    def _keep(self, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        given = inputs[0].detach().double()
        over = [d for d in range(given.dim()) if d != 1]
        variance = given.var(over, correction=0).mean()
        if variance > _ROUNDING * given.square().mean():
            self.calls.append((variance, output))
        return output.clone()  # what follows may change it in place

    def scale_of(self, features: Tensor) -> float:
        """Return the sum of log sqrt(variance) over the layers that the features depend on."""
        if not self.calls or not features.requires_grad:
            return 0.0
        outputs = [output for _, output in self.calls]
        gradients = torch.autograd.grad(features.sum(), outputs, allow_unused=True)
        used = [v for (v, _), g in zip(self.calls, gradients, strict=True) if g is not None]
        return sum(float(variance.log()) / 2 for variance in used)
