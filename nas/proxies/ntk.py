"""The condition number of the neural tangent kernel: how evenly the network can be trained."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from nas import registry
from nas.proxies.gradients import CHUNK_BYTES
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

    G is never there as a whole: at most `CHUNK_BYTES` of it are, or one weight tensor's.

    Batch norm: statistics of the batch, as in the authors' code.

    Source: arXiv:2102.11535, sec. 3.1. Arguments and errors as for `proxy.Proxy`.
    """
    del y, loss
    saved: list[int] = []  # bytes that a backward pass needs, about what it makes itself

    def pack(tensor: Tensor) -> Tensor:
        saved.append(tensor.nbytes)
        return tensor

    chosen = weights(network)
    with batch_statistics(network):
        with saved_tensors_hooks(pack, lambda tensor: tensor):
            sums = logits(network, chosen, x).flatten(1).sum(1)
        at_once = max(1, CHUNK_BYTES // max(1, sum(saved)))
        triangle = _triangle(sums, list(chosen.values()), at_once)
    # Singular values are more exact than the square roots of the kernel's eigenvalues.
    values = torch.linalg.svdvals(triangle)
    largest = values[0] if len(values) else triangle.new_zeros(())
    smallest = values[-1] if len(values) == len(x) else values.new_zeros(())
    if not smallest > largest * torch.finfo(torch.float32).eps:  # what float32 gradients can tell
        smallest = smallest.new_zeros(())
    return finite(-((largest / smallest) ** 2), "ntk", "the kernel of the batch is singular")


def _triangle(sums: Tensor, leaves: list[Tensor], at_once: int) -> Tensor:
    """Return R of G^T = Q R, which has the singular values of G; float64 [at most B, B].

    Rows of G^T are added block by block, each by a decomposition of what there was and the block.
    """
    size = len(sums)
    triangle = torch.zeros(0, size, dtype=torch.float64, device=sums.device)
    for group in _groups(leaves, size):
        fitting = CHUNK_BYTES // sum(leaf.nbytes for leaf in group)
        rows = _rows(sums, group, max(1, min(at_once, fitting)))
        length = max(size, CHUNK_BYTES // (32 * size))  # in double, with copies
        for block in (block for part in rows for block in torch.split(part, length, 1)):
            stacked = torch.cat([triangle, block.T.double()])
            triangle = torch.linalg.qr(stacked, mode="r").R
    return triangle


def _groups(leaves: list[Tensor], size: int) -> Iterator[list[Tensor]]:
    """Yield leaves whose gradients, of `size` examples each, fit in a chunk; at least one."""
    group: list[Tensor] = []
    for leaf in leaves:
        if group and size * sum(one.nbytes for one in [*group, leaf]) > CHUNK_BYTES:
            yield group
            group = []
        group.append(leaf)
    if group:
        yield group


def _rows(sums: Tensor, leaves: list[Tensor], at_once: int) -> list[Tensor]:
    """Return the gradients of every entry of `sums` [B], for each leaf [B, its number of weights].

    Args:
        sums: What is differentiated.
        leaves: By what.
        at_once: How many entries are differentiated in one pass.
    """
    found = [leaf.new_empty(len(sums), leaf.numel()) for leaf in leaves]
    each = torch.eye(len(sums), dtype=sums.dtype, device=sums.device)
    for at in range(0, len(sums), at_once):
        some = each[at : at + at_once]
        for rows, part in zip(found, _some_rows(sums, leaves, some), strict=True):
            rows[at : at + len(some)] = 0 if part is None else part.flatten(1)
    return found


def _some_rows(sums: Tensor, leaves: list[Tensor], some: Tensor) -> list[Tensor | None]:
    """Return the gradients of combinations `some` [b, B] of `sums`; None for no dependence."""
    differentiate = partial(torch.autograd.grad, sums, leaves, retain_graph=True, allow_unused=True)
    if len(some) > 1:
        try:
            return list(differentiate(some, is_grads_batched=True))
        except RuntimeError:  # an operation that cannot be batched
            pass
    parts = [differentiate(one, materialize_grads=True) for one in some]
    return [torch.stack(rows) for rows in zip(*parts, strict=True)]
