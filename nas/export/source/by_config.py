"""The source of a network that says with which arguments it was built."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from nas.errors import NasError
from nas.export.source.closure import Closure
from nas.export.source.layout import Group, Node
from nas.export.source.order import ordered
from nas.export.source.program import Program, file_symbols

__all__ = ["by_config"]


def by_config(network: nn.Module) -> Program:
    """Take the network's class with all that it refers to, and call it with `network.config`.

    Raises:
        NasError: If there is no `config`, no such call makes this network, or its source cannot be
            taken as it is.
    """
    config: Any = getattr(network, "config", None)
    if not (isinstance(config, Mapping) and _rebuilds(network, config)):
        raise NasError(
            "export to python: the network does not keep the arguments it was built with"
        )
    symbols = file_symbols()
    closure = Closure(symbols, type(network).__module__)
    head = closure.reference(type(network), type(network).__name__, "the network")
    arguments: tuple[tuple[str, Node], ...] = tuple(
        (f"{name}=", closure.values.node(value, f"config['{name}']"))
        for name, value in config.items()
    )
    definitions = ordered(closure.written())
    return Program(symbols, definitions, Group(head, "()", arguments), network.state_dict())


def _rebuilds(network: nn.Module, config: Mapping[str, Any]) -> bool:
    """Tell whether the class, called with the configuration, makes the same modules."""
    try:
        inspect.signature(type(network)).bind(**config)
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            made = type(network)(**config)
    except Exception:  # `config` may be anything in a user's module
        return False
    return _structure(made) == _structure(network)


def _structure(network: nn.Module) -> list[object]:
    modules = [(name, type(module)) for name, module in network.named_modules()]
    tensors = [(k, v.shape, v.dtype) for k, v in network.state_dict().items()]
    return [modules, tensors]
