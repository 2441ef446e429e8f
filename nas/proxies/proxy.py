"""What a zero-cost proxy is, and how a network is lent to one so that it comes back unchanged."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from nas.costs import AUXILIARY_HEAD, evaluating
from nas.errors import NasError
from nas.task import Graph

__all__ = [
    "Inputs", "Loss", "Parameters", "Proxy", "batch_statistics", "changed", "finite", "logits",
    "weights",
]  # fmt: skip

Loss = Callable[[Tensor, Tensor], Tensor]
"""Logits [B, classes] and labels [B] -> the mean loss over the batch, a scalar."""
Inputs = Tensor | Graph
"""A batch of tensors [B, ...], or a graph of which B labels are asked for."""
Proxy = Callable[[nn.Module, Inputs, Tensor, Loss], float]
"""Scores an untrained network on a batch; larger is better.

Args:
    network: A plain network with its initial weights; it is unchanged afterwards.
    x: Inputs, on the network's device.
    y: Labels [B].
    loss: What it will be trained with.

Raises:
    NasError: Where the score is not a finite number.
"""
Parameters = dict[str, Tensor]
"""Name in the network -> value."""


def finite(score: float | Tensor, name: str, reason: str = "") -> float:
    """Return a score as a number; raises `NasError` where it is infinite or not a number."""
    value = float(score.detach() if isinstance(score, Tensor) else score)
    if not math.isfinite(value):
        raise NasError(f"{name} is {value}" + (f": {reason}" if reason else ""))
    return value


@contextmanager
def batch_statistics(network: nn.Module) -> Iterator[None]:
    """Let batch norm take each batch's own statistics and keep none; all else is as in evaluation.

    This is how the reference implementations run untrained networks (in training mode), but
    without what training makes random, such as dropout. Gradients are enabled. Modes are as before
    afterwards.
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    tracked = [norm.track_running_stats for norm in norms]
    with evaluating(network), torch.enable_grad():
        try:
            for norm in norms:
                norm.train()
                norm.track_running_stats = False
            yield
        finally:
            for norm, track in zip(norms, tracked, strict=True):
                norm.track_running_stats = track


def weights(network: nn.Module) -> Parameters:
    """Return the weights that proxies look at, as leaves of their own that need gradients.

    These are the parameters of two or more dimensions: those of convolutions, linear layers and
    embeddings, not biases nor scales of norms; an auxiliary head's are left out. The tensors share
    memory with the network's, so that they must not be changed in place.
    """
    return {
        name: parameter.detach().requires_grad_()
        for name, parameter in network.named_parameters()
        if parameter.dim() >= 2 and AUXILIARY_HEAD not in name.split(".")
    }


def changed(x: Inputs, change: Callable[[Tensor], Tensor], name: str) -> tuple[Inputs, Tensor]:
    """Change the numbers of inputs: a tensor, or the features of a graph's nodes.

    Args:
        x: Inputs.
        change: Takes the numbers and returns others, of the same shape.
        name: Of the proxy, for the message.

    Returns:
        The changed inputs, and the numbers in them.

    Raises:
        NasError: For tokens, which are no numbers.
    """
    numbers = x.features if isinstance(x, Graph) else x
    if not numbers.is_floating_point():
        raise NasError(f"{name} needs inputs that are real numbers, not tokens")
    found = change(numbers)
    return (replace(x, features=found) if isinstance(x, Graph) else found), found


def logits(network: nn.Module, parameters: Parameters, x: Inputs) -> Tensor:
    """Run a network with other values of some parameters; return its logits [B, classes].

    Buffers that the forward pass changes are copies.
    """
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    output: Any = functional_call(network, {**buffers, **parameters}, (x,))
    found: Tensor = output if isinstance(output, Tensor) else output[0]
    return found
