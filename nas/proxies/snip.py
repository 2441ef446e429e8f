"""SNIP: how much the loss would change were weights removed."""

from __future__ import annotations

from torch import Tensor, nn

from nas import registry
from nas.proxies.gradients import loss_gradients
from nas.proxies.proxy import Inputs, Loss, batch_statistics, finite, weights

__all__ = ["snip"]


@registry.register(
    "proxies",
    "snip",
    "sensitivity of the loss to removing single weights",
    "Lee et al., SNIP, ICLR 2019, arXiv:1810.02340",
)
def snip(network: nn.Module, x: Inputs, y: Tensor, loss: Loss) -> float:
    """Return the sum over weights of |dloss/dmask|, with masks of 1 that multiply the weights.

    The gradient of a mask is weight * dloss/dweight.

    Batch norm: statistics of the batch, as in the reference of Abdelfattah et al.

    Source: arXiv:1810.02340, eq. 5; summed as in Abdelfattah et al., arXiv:2101.08134. Arguments
    and errors as for `proxy.Proxy`.
    """
    chosen = weights(network)
    with batch_statistics(network):
        gradients = loss_gradients(network, chosen, x, y, loss)
    score = sum((chosen[name].detach() * g).abs().sum() for name, g in gradients.items())
    return finite(score, "snip")
