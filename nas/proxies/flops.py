"""The number of multiply-accumulates: a baseline that a proxy must beat."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nas import registry
from nas.costs import count_flops
from nas.proxies.proxy import Inputs, Loss

__all__ = ["flops"]


@registry.register("proxies", "flops", "multiply-accumulates, a baseline for the others")
def flops(network: nn.Module, x: Inputs, y: Tensor, loss: Loss) -> float:
    """Return the multiply-accumulates of one example's forward pass, as `measure.count_flops`.

    Batch norm does not count. Of a graph the mean over its nodes, or its graphs, is taken.
    Arguments as for `proxy.Proxy`; of tensors `x` only the shape counts.
    """
    del y, loss
    if isinstance(x, Tensor) and x.is_floating_point():
        return float(count_flops(network, tuple(x.shape[1:])))
    if isinstance(x, Tensor):
        return float(count_flops(network, _Same(x[:1])))
    return count_flops(network, _Same(x)) / (x.graphs if x.index is None else len(x.features))


class _Same:
    """Inputs that are there already."""

    def __init__(self, x: Inputs) -> None:
        self.x = x

    def example(self, batch: int, generator: torch.Generator | None = None) -> Inputs:
        """Return the inputs."""
        del batch, generator
        return self.x
