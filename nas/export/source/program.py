"""What a source file needs to make a network."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from nas.export.source.layout import Node
from nas.export.source.order import Definition
from nas.export.source.symbols import Symbols

__all__ = ["Program", "file_symbols"]


def file_symbols() -> Symbols:
    """Return the names of a file that has only what every file has."""
    own = ("INPUT_SHAPE", "WEIGHTS", "annotations", "build", "load", "main")
    symbols = Symbols(
        (*own, *dir(builtins))
    )  # a module that redefines a built-in is not alone here
    symbols.module("torch", "torch")
    symbols.module("torch.nn", "nn")
    symbols.member("pathlib", "Path", "Path")
    return symbols


@dataclass(frozen=True)
class Program:
    """The parts of the file that differ from network to network.

    Args:
        symbols: The names of the file.
        definitions: Classes, functions and constants, in order.
        network: The expression that makes the network.
        ties: Statements that make modules and parameters of `network` one that are shared.
        state: The tensors that `load_state_dict` of such a network takes.
        keeps_initialisation: Whether a network without loaded weights starts as the original did.
    """

    symbols: Symbols
    definitions: list[Definition]
    network: Node
    state: Mapping[str, Tensor]
    ties: list[Node] = field(default_factory=list)
    keeps_initialisation: bool = True
