"""GradSign: how far the examples agree on the sign of every weight's gradient."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nas import registry
from nas.proxies.gradients import example_gradients
from nas.proxies.proxy import (
    Inputs,
    Loss,
    Parameters,
    batch_statistics,
    finite,
    logits,
    weights,
)
from nas.task import Graph

__all__ = ["gradsign"]


@registry.register(
    "proxies",
    "gradsign",
    "agreement of the examples' gradients in sign",
    "Zhang & Jia, GradSign, ICLR 2022, arXiv:2110.08616",
)
def gradsign(network: nn.Module, x: Inputs, y: Tensor, loss: Loss) -> float:
    """Return the sum over weights k of |sum over examples i of sign(dloss_i / dweight_k)|.

    Batch norm: every example is a batch of its own and is normalised by its own statistics over
    pixels, as in the authors' code. Where a network has batch norm over vectors or single pixels,
    of which one example has no statistics, all of it takes those of the whole batch, held fixed.

    Source: arXiv:2110.08616, Algorithm 1. Arguments and errors as for `proxy.Proxy`.
    """
    try:
        with batch_statistics(network):
            return _agreement(network, x, y, loss)
    except ValueError:  # torch's, for one value a channel
        with torch.enable_grad():
            return _agreement(_with_statistics_of(network, x), x, y, loss)


def _agreement(network: nn.Module, x: Inputs, y: Tensor, loss: Loss) -> float:
    signs: dict[str, Tensor] = {}
    for gradients in _gradients(network, x, y, loss):
        for name, gradient in gradients.items():
            finite(gradient.sum(), "a gradient")
            signs[name] = signs.get(name, 0) + gradient.sign().sum(0)
    return finite(sum(s.abs().sum(dtype=torch.float64) for s in signs.values()), "gradsign")


def _with_statistics_of(network: nn.Module, x: Inputs) -> nn.Module:
    """Return a copy in evaluation, whose batch norm has the statistics of a batch."""
    network = copy.deepcopy(network).eval()
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.train()
            module.momentum = 1.0
    with torch.no_grad():
        network(x)
    return network.eval()


def _gradients(network: nn.Module, x: Inputs, y: Tensor, loss: Loss) -> Iterator[Parameters]:
    """Yield what `example_gradients` does; of the nodes of one graph with a single forward pass.

    Whichever node is asked for, the network runs on all of the graph: only the losses differ.
    """
    if not isinstance(x, Graph) or x.index is None:
        yield from example_gradients(network, x, y, loss)
        return
    parameters = weights(network)
    found = logits(network, parameters, x)
    for i in range(len(y)):
        value = loss(found[i : i + 1], y[i : i + 1])
        gradients = torch.autograd.grad(
            value,
            list(parameters.values()),
            retain_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
        yield {name: g[None] for name, g in zip(parameters, gradients, strict=True)}
