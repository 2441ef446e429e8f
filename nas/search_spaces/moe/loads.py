"""How evenly experts are used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from nas.search_spaces.moe.routers.router import Gating

__all__ = ["expert_loads", "load_balance", "watch_loads"]


class _Loads:
    """Sums of what experts had to do, by router."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.tokens: dict[str, int] = {}

    @torch.no_grad()
    def add(self, name: str, gates: Tensor) -> None:
        """Count who takes which token, from weights [B, T, E]."""
        taken = (gates != 0).sum((0, 1)).double()
        self.sums[name] = self.sums[name] + taken if name in self.sums else taken
        self.tokens[name] = self.tokens.get(name, 0) + gates.shape[0] * gates.shape[1]

    def means(self) -> dict[str, Tensor]:
        """Return the mean number of experts of a token that fall on each expert, [E]."""
        return {name: total / self.tokens[name] for name, total in self.sums.items()}

    def balance(self) -> dict[str, float]:
        """Return "max_load"; see `load_balance`."""
        loads = self.means().values()
        ratios = [float(load.max() / load.mean().clamp_min(1e-12)) for load in loads]
        return {"max_load": max(ratios, default=1.0)}


@contextmanager
def _recorded(network: nn.Module) -> Iterator[_Loads]:
    loads = _Loads()
    handles = [
        module.register_forward_hook(lambda _, __, gates, name=name: loads.add(name, gates))
        for name, module in network.named_modules()
        if isinstance(module, Gating)
    ]
    try:
        yield loads
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def watch_loads(network: nn.Module) -> Iterator[Callable[[], dict[str, float]]]:
    """Watch the passes of a network in a `with` block, as `nas.costs.watching` does.

    Returns:
        What gives the metrics of `load_balance` for the passes so far.
    """
    with _recorded(network) as loads:
        yield loads.balance


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
    with _recorded(network) as loads:
        for x in batches:
            network(x)
    return loads.means()


@torch.no_grad()
def load_balance(network: nn.Module, batches: Iterable[Tensor]) -> dict[str, float]:
    """Return metrics of balance.

    Args:
        network, batches: As for `expert_loads`.

    Returns:
        "max_load": the largest load of an expert over the mean load of its layer, of the worst
        layer; 1 is perfect, also where there are no experts.
    """
    with watch_loads(network) as metrics:
        for x in batches:
            network(x)
    return metrics()
