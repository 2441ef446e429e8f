"""Modules and tensors that a network has in several places."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from nas.export.source.layout import Group, Node
from nas.export.source.values import quoted

__all__ = ["ties"]


def ties(network: nn.Module) -> list[Node]:
    """Return the statements that make shared what a copy of `network` has several times."""
    return [*_shared_modules(network), *_shared_tensors(network)]


def _shared_modules(network: nn.Module) -> Iterator[Node]:
    first: dict[nn.Module, str] = {}
    inside: tuple[str, ...] = ()
    for name, module in network.named_modules(remove_duplicate=False):
        if name.startswith(inside):
            continue  # shared with what it is in
        if first.setdefault(module, name) != name:
            arguments = (("", quoted(name)), ("", _module(first[module])))
            yield Group("network.set_submodule", "()", arguments)
            inside += (f"{name}.",)


def _shared_tensors(network: nn.Module) -> Iterator[Node]:
    first: dict[int, str] = {}
    for path, module in network.named_modules():
        for kind, tensors in (("parameter", module._parameters), ("buffer", module._buffers)):
            for name, tensor in tensors.items():
                place = f"{path}.{name}" if path else name
                if tensor is not None and first.setdefault(id(tensor), place) != place:
                    source = f"network.get_{kind}({quoted(first[id(tensor)])})"
                    arguments = (("", quoted(name)), ("", source))
                    yield Group(f"{_module(path)}.register_{kind}", "()", arguments)


def _module(path: str) -> str:
    return f"network.get_submodule({quoted(path)})" if path else "network"
