"""The number of parameters: a baseline that a proxy must beat."""

from __future__ import annotations

from torch import Tensor, nn

from nas import registry
from nas.costs import count_parameters
from nas.proxies.proxy import Inputs, Loss

__all__ = ["params"]


@registry.register("proxies", "params", "number of parameters, a baseline for the others")
def params(network: nn.Module, x: Inputs, y: Tensor, loss: Loss) -> float:
    """Return the number of parameters, without those of an auxiliary head.

    Arguments as for `proxy.Proxy`; nothing is run.
    """
    del x, y, loss
    return float(count_parameters(network))
