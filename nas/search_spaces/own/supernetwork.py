"""The supernet of a user's own module."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from nas.mutables import Supernet
from nas.space import Architecture, Path

__all__ = ["OwnSupernet"]

_NO_NODES = (
    "edge gates: the module has no nodes where several edges meet; it is searched without them"
)


class OwnSupernet(Supernet):
    """A network written with mutables, in which every candidate has the weights that it brought.

    Args:
        network: See `Supernet`.
        path: See `Supernet`.
        edge_gates: Whether gates over the inputs of nodes were asked for.
    """

    def __init__(
        self, network: nn.Module, path: Callable[[Architecture], Path], edge_gates: bool
    ) -> None:
        super().__init__(network, path)
        self.notes: tuple[str, ...] = (_NO_NODES,) if edge_gates else ()
