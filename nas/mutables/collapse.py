"""The mutables of a network; the network without them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from torch import nn

from nas.errors import NasError
from nas.mutables.mutable import Mutable

__all__ = ["Collapsible", "collapse", "mutables"]


@runtime_checkable
class Collapsible(Protocol):
    """A module around mutables that looks different once they are decided."""

    def collapsed(self, path: Mapping[str, int | tuple[int, ...]]) -> nn.Module:
        """Return the module to go on with; mutables in it are replaced afterwards."""


def mutables(network: nn.Module) -> dict[str, list[Mutable]]:
    """Collect the mutables of a network by label, in the order of its modules.

    A mutable without a label is given its place in the network as label.

    Raises:
        NasError: If two mutables share a label but not options or the condition (one of them, or
            several, may give it).
    """
    found: dict[str, list[Mutable]] = {}
    for name, module in network.named_modules():
        if isinstance(module, Mutable):
            module.label = module.label or name or type(module).__name__
            found.setdefault(module.label, []).append(module)
    for label, group in found.items():
        gates = {mutable.gate() for mutable in group}
        if len(gates) > 1:
            raise NasError(f"mutables labelled '{label}' have different options: {gates}")
        if len({mutable.when for mutable in group if mutable.when}) > 1:
            raise NasError(f"mutables labelled '{label}' have different conditions")
    return found


def collapse(module: nn.Module, path: Mapping[str, int | tuple[int, ...]]) -> nn.Module:
    """Replace every mutable inside a module by what a path selects, in place.

    Args:
        module: A network, or part of one, written with mutables.
        path: Label -> selection.

    Returns:
        The module (another one if it is a mutable itself), without any mutable in it.
    """
    return _collapse(module, path, {})


def _collapse(
    module: nn.Module,
    path: Mapping[str, int | tuple[int, ...]],
    done: dict[nn.Module, nn.Module],
) -> nn.Module:
    """Collapse a module once, however many places of the network hold it."""
    if module not in done:
        done[module] = _collapsed(module, path, done)
    return done[module]


def _collapsed(
    module: nn.Module,
    path: Mapping[str, int | tuple[int, ...]],
    done: dict[nn.Module, nn.Module],
) -> nn.Module:
    if isinstance(module, Mutable):
        return _collapse(module.chosen(path[module.label or ""]), path, done)
    if isinstance(module, Collapsible):
        module = module.collapsed(path)
    for name, child in list(module._modules.items()):
        if child is not None:
            module._modules[name] = _collapse(child, path, done)
    return module
