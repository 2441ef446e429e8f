"""Gradients of the loss with respect to the weights: of a batch, and of every example."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.func import grad, vmap

from nas.proxies.proxy import Inputs, Loss, Parameters, logits, weights
from nas.task import Graph

__all__ = [
    "CHUNK_BYTES", "example_gradients", "gradients_of", "looped_gradients", "loss_gradients",
]  # fmt: skip

CHUNK_BYTES = 2**28
"""Most memory for the gradients of examples that are looked at together, by any proxy."""


def loss_gradients(
    network: nn.Module, parameters: Parameters, x: Inputs, y: Tensor, loss: Loss
) -> Parameters:
    """Return the gradient of a batch's loss; zeros for a weight that takes no part."""
    value = loss(logits(network, parameters, x), y)
    return dict(zip(parameters, gradients_of(value, list(parameters.values())), strict=True))


def gradients_of(
    value: Tensor, leaves: Sequence[Tensor], create_graph: bool = False
) -> Sequence[Tensor]:
    """Return the gradients of a scalar; zeros where it does not depend on a leaf."""
    if not value.requires_grad or not leaves:
        return [torch.zeros_like(leaf) for leaf in leaves]
    return torch.autograd.grad(
        value, leaves, create_graph=create_graph, allow_unused=True, materialize_grads=True
    )


def example_gradients(network: nn.Module, x: Inputs, y: Tensor, loss: Loss) -> Iterator[Parameters]:
    """Yield the gradients of each example's own loss, those of some examples at a time.

    Every example is a batch of its own, for batch norm too. All examples of a chunk are computed
    together by `torch.func.vmap`; a network that it cannot handle, such as one with control flow
    that depends on values, is run example by example. So are graphs.

    Args:
        network: Its gradients are with respect to `weights`.
        x: Inputs.
        y: Labels [B].
        loss: Of logits and labels.

    Yields:
        Name of a weight -> gradients [b, *shape of the weight] of the next b examples.
    """
    if isinstance(x, Graph):
        for i in range(len(x)):
            yield looped_gradients(network, x[i : i + 1], y[i : i + 1], loss)
        return
    parameters = {name: weight.detach() for name, weight in weights(network).items()}
    bytes_each = sum(weight.nbytes for weight in parameters.values())
    together = max(1, CHUNK_BYTES // max(1, bytes_each))
    own = vmap(partial(_gradient, network, loss), (None, 0, 0))
    for some_x, some_y in zip(torch.split(x, together), torch.split(y, together), strict=True):
        try:
            with torch.no_grad():  # the gradients themselves need none
                found: Parameters = own(parameters, some_x, some_y)
        except RuntimeError:
            found = looped_gradients(network, some_x, some_y, loss)
        yield found


def _gradient(
    network: nn.Module, loss: Loss, parameters: Parameters, x: Tensor, y: Tensor
) -> Parameters:
    def own_loss(parameters: Parameters) -> Tensor:
        return loss(logits(network, parameters, x[None]), y[None])

    found: Parameters = grad(own_loss)(parameters)
    return found


def looped_gradients(network: nn.Module, x: Inputs, y: Tensor, loss: Loss) -> Parameters:
    """Return what `example_gradients` does of all examples, computed one after the other."""
    parameters = weights(network)
    each = [
        loss_gradients(network, parameters, x[i : i + 1], y[i : i + 1], loss) for i in range(len(x))
    ]
    return {name: torch.stack([gradients[name] for gradients in each]) for name in parameters}
