"""How evenly experts are used."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from nas.search_spaces.moe.routers.router import Gating

__all__ = ["expert_loads", "load_balance"]


@torch.no_grad()
def expert_loads(network: nn.Module, batches: Iterable[Tensor]) -> dict[str, Tensor]:
    """Count what experts have to do.

    Args:
        network: With routers that give experts weights for tokens; others have no loads.
        batches: Inputs of the network.

    Returns:
        For every router that ran, by its place in the network: the mean number of experts of a
        token that fall on each expert, after what it has no room for was dropped; [E].
    """
    sums: dict[str, Tensor] = {}
    counts: dict[str, int] = {}

    def record(name: str, gates: Tensor) -> None:
        taken = (gates != 0).sum((0, 1)).double()
        sums[name] = sums[name] + taken if name in sums else taken
        counts[name] = counts.get(name, 0) + gates.shape[0] * gates.shape[1]

    handles = [
        module.register_forward_hook(lambda _, __, gates, name=name: record(name, gates))
        for name, module in network.named_modules()
        if isinstance(module, Gating)
    ]
    try:
        for x in batches:
            network(x)
    finally:
        for handle in handles:
            handle.remove()
    return {name: total / counts[name] for name, total in sums.items()}


def load_balance(network: nn.Module, batches: Iterable[Tensor]) -> dict[str, float]:
    """Return metrics of balance.

    Args:
        network, batches: As for `expert_loads`.

    Returns:
        "max_load": the largest load of an expert over the mean load of its layer, of the worst
        layer; 1 is perfect, also where there are no experts.
    """
    loads = expert_loads(network, batches).values()
    ratios = [float(load.max() / load.mean().clamp_min(1e-12)) for load in loads]
    return {"max_load": max(ratios, default=1.0)}
