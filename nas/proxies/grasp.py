"""GraSP: how much the gradient flow depends on the weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from nas import registry
from nas.proxies.gradients import gradients_of
from nas.proxies.proxy import Inputs, Loss, batch_statistics, finite, logits, weights

__all__ = ["grasp"]


@registry.register(
    "proxies",
    "grasp",
    "what the gradient's norm owes to the weights",
    "Wang et al., Picking Winning Tickets (GraSP), ICLR 2020, arXiv:2002.07376",
)
def grasp(network: nn.Module, x: Inputs, y: Tensor, loss: Loss) -> float:
    """Return the sum of -weight * (H g), with the gradient g of the loss and its Hessian H.

    H g is the gradient of g's product with itself, one factor held fixed. The sign is that of the
    reference of Abdelfattah et al.: larger is better.

    Batch norm: statistics of the batch, as in the reference.

    Source: arXiv:2002.07376, eq. 8; as a proxy: arXiv:2101.08134. Arguments and errors as for
    `proxy.Proxy`.
    """
    chosen = weights(network)
    leaves = list(chosen.values())
    if not leaves:
        return 0.0
    # Fused attention has no second derivative.
    with batch_statistics(network), sdpa_kernel(SDPBackend.MATH):
        value = loss(logits(network, chosen, x), y)
        gradients = gradients_of(value, leaves, create_graph=True)
        product = torch.stack([(g.detach() * g).sum() for g in gradients]).sum()
        curvature = gradients_of(product, leaves)
    terms = (-(leaf.detach() * h).sum() for leaf, h in zip(leaves, curvature, strict=True))
    return finite(sum(terms), "grasp")
