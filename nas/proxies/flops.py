"""The number of multiply-accumulates: a baseline that a proxy must beat."""

from __future__ import annotations

from torch import Tensor, nn

from nas import registry
from nas.measure import count_flops
from nas.proxies.proxy import Loss

__all__ = ["flops"]


@registry.register("proxies", "flops", "multiply-accumulates, a baseline for the others")
def flops(network: nn.Module, x: Tensor, y: Tensor, loss: Loss) -> float:
    """Return the multiply-accumulates of one example's forward pass, as `measure.count_flops`.

    Batch norm does not count. Arguments as for `proxy.Proxy`; of `x` only the shape counts.
    """
    del y, loss
    return float(count_flops(network, tuple(x.shape[1:])))
