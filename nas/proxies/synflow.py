"""SynFlow: how much flows through all paths of the network of absolute weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nas import registry
from nas.costs import evaluating
from nas.proxies.gradients import gradients_of
from nas.proxies.proxy import Inputs, Loss, changed, finite, logits, weights
from nas.task import Graph

__all__ = ["synflow"]

_NORMS = (_BatchNorm, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)


@registry.register(
    "proxies",
    "synflow",
    "flow through the network of absolute weights, without data",
    "Tanaka et al., Pruning Neural Networks without Any Data (SynFlow), NeurIPS 2020, "
    "arXiv:2006.05467",
)
def synflow(network: nn.Module, x: Inputs, y: Tensor, loss: Loss) -> float:
    """Return the sum of |weight * dR/dweight|, R the sum of outputs for an input of ones.

    All parameters are replaced by their absolute values, in double precision, as products over
    many layers are large. Of `x` only the shape counts (inputs that are no real numbers, such as
    tokens, stay as the first example is); of a graph also its edges.

    Batch norm, and other norms of layers, are left out (identities): they would undo the scale that
    the score is about. So does the reference of Abdelfattah et al.

    Source: arXiv:2006.05467, eq. 1; as a proxy: Abdelfattah et al., Zero-Cost Proxies for
    Lightweight NAS, ICLR 2021, arXiv:2101.08134. Arguments and errors as for `proxy.Proxy`.
    """
    del y, loss
    if isinstance(x, Graph):
        one, _ = changed(x.double(), torch.ones_like, "synflow")
    else:
        one = torch.ones_like(x[:1], dtype=torch.float64) if x.is_floating_point() else x[:1]
    chosen = weights(network)
    with evaluating(network), _without_norms(network), torch.enable_grad():
        positive = {
            name: tensor.detach().to(torch.float64 if tensor.is_floating_point() else tensor.dtype)
            for name, tensor in (*network.named_parameters(), *network.named_buffers())
        }
        for name, _ in network.named_parameters():
            positive[name] = positive[name].abs().requires_grad_(name in chosen)
        flow = logits(network, positive, one).sum()
        leaves = [positive[name] for name in chosen]
        gradients = gradients_of(flow, leaves)
    terms = (
        (leaf.detach() * gradient).abs().sum()
        for leaf, gradient in zip(leaves, gradients, strict=True)
    )
    return finite(sum(terms), "synflow")


@contextmanager
def _without_norms(network: nn.Module) -> Iterator[None]:
    """Let the norms of layers pass their input on."""

    def passed_on(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> Any:
        return inputs[0]

    norms = (module for module in network.modules() if isinstance(module, _NORMS))
    hooks = [norm.register_forward_hook(passed_on) for norm in norms]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
