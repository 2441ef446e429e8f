"""The norm of the loss's gradient."""

from __future__ import annotations

from torch import Tensor, nn

from nas import registry
from nas.proxies.gradients import loss_gradients
from nas.proxies.proxy import Inputs, Loss, batch_statistics, finite, weights

__all__ = ["grad_norm"]


@registry.register(
    "proxies",
    "grad_norm",
    "norm of the loss's gradient",
    "Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS, ICLR 2021, arXiv:2101.08134",
)
def grad_norm(network: nn.Module, x: Inputs, y: Tensor, loss: Loss) -> float:
    """Return the sum over the weights of layers of the Euclidean norm of their gradient.

    Batch norm: statistics of the batch, as in the reference.

    Source: arXiv:2101.08134, sec. 3.1. Arguments and errors as for `proxy.Proxy`.
    """
    with batch_statistics(network):
        gradients = loss_gradients(network, weights(network), x, y, loss)
    return finite(sum(gradient.norm() for gradient in gradients.values()), "grad_norm")
