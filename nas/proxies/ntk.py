"""The condition number of the neural tangent kernel: how evenly the network can be trained."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from nas import registry
from nas.proxies.proxy import Inputs, Loss, batch_statistics, finite, logits, weights

__all__ = ["ntk"]


@registry.register(
    "proxies",
    "ntk",
    "condition number of the neural tangent kernel, negative",
    "Chen et al., Neural Architecture Search on ImageNet in Four GPU Hours (TE-NAS), ICLR 2021, "
    "arXiv:2102.11535",
)
def ntk(network: nn.Module, x: Inputs, y: Tensor, loss: Loss) -> float:
    """Return -(largest eigenvalue / smallest eigenvalue) of the kernel of the batch.

    The kernel is G G^T; row i of G is the gradient of the sum of the logits of example i with
    respect to the weights. A smaller condition number is better, hence the minus. The smallest
    eigenvalue of a batch that is larger than what the network can tell apart is zero: an error.

    Batch norm: statistics of the batch, as in the authors' code.

    Source: arXiv:2102.11535, sec. 3.1. Arguments and errors as for `proxy.Proxy`.
    """
    del y, loss
    chosen = weights(network)
    with batch_statistics(network):
        sums = logits(network, chosen, x).flatten(1).sum(1)
        rows = _rows(sums, list(chosen.values()))
    gradients = torch.cat([row.flatten(1) for row in rows], 1).double()
    # Singular values are more exact than the square roots of the kernel's eigenvalues.
    values = torch.linalg.svdvals(gradients)
    largest, smallest = values.max(), values[-1] if len(values) == len(x) else values.new_zeros(())
    if not smallest > largest * torch.finfo(torch.float32).eps:  # what float32 gradients can tell
        smallest = smallest.new_zeros(())
    return finite(-((largest / smallest) ** 2), "ntk", "the kernel of the batch is singular")


def _rows(sums: Tensor, leaves: list[Tensor]) -> list[Tensor]:
    """Return the gradients of every entry of `sums` [B], each [B, *shape of the leaf]."""
    each = torch.eye(len(sums), dtype=sums.dtype, device=sums.device)
    differentiate = partial(torch.autograd.grad, sums, leaves, retain_graph=True, allow_unused=True)
    try:
        found = differentiate(each, is_grads_batched=True)
    except RuntimeError:  # an operation that cannot be batched
        parts = [differentiate(one, materialize_grads=True) for one in each]
        return [torch.stack(rows) for rows in zip(*parts, strict=True)]
    return [
        leaf.new_zeros(len(sums), *leaf.shape) if rows is None else rows
        for leaf, rows in zip(leaves, found, strict=True)
    ]
