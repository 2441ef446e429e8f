"""Values as expressions."""

from __future__ import annotations

import dataclasses
import math
from enum import Enum
from functools import partial
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, Protocol

import torch
from torch import nn

from nas.errors import NasError
from nas.export.source.layout import Group, Node, flat

__all__ = ["Reference", "Values"]

_LITERALS = (int, bool, complex, bytes, type(None), type(...))
_BRACKETS: dict[object, str] = {list: "[]", tuple: "()", torch.Size: "()", set: "{}"}


class Reference(Protocol):
    """Gives the name of a module, class or function in the file; see `Closure.reference`."""

    def __call__(self, value: object, wanted: str, where: str) -> str: ...


class Values:
    """Writes literals, collections of them, and references to classes and functions.

    Args:
        reference: Gives the names of what is referred to.
    """

    def __init__(self, reference: Reference) -> None:
        self.reference = reference

    def node(self, value: object, where: str) -> Node:
        """Return an expression that gives an equal value.

        Args:
            value: What to write.
            where: What it is, for the error message.

        Raises:
            NasError: If the value is of a kind that no expression is known for.
        """
        kind = type(value)
        if kind in _LITERALS:
            return repr(value)
        if isinstance(value, str) and kind is str:
            return quoted(value)
        if isinstance(value, float) and kind is float:
            return repr(value) if math.isfinite(value) else f'float("{value}")'
        for write in (self._collection, self._torch, self._referred, self._constructed):
            node = write(value, where)
            if node is not None:
                return node
        hint = "; register it as a buffer" if isinstance(value, torch.Tensor) else ""
        raise NasError(
            f"export to python: {where} is a {kind.__name__}, which has no literal form{hint}"
        )

    def _collection(self, value: Any, where: str) -> Node | None:
        kind = type(value)
        if kind is dict:
            pairs = ((flat(self.node(k, where)), self.node(v, where)) for k, v in value.items())
            return Group("", "{}", tuple((f"{key}: ", node) for key, node in pairs))
        if kind in (set, frozenset):
            items = sorted((self.node(item, where) for item in value), key=str)
            inner = Group("", "{}", tuple(("", item) for item in items)) if items else "set()"
            return inner if kind is set else Group("frozenset", "()", (("", inner),))
        if kind is range:
            return repr(value)
        if kind in _BRACKETS:
            return Group("", _BRACKETS[kind], tuple(("", self.node(v, where)) for v in value))
        return None

    def _torch(self, value: Any, where: str) -> Node | None:
        if isinstance(value, (torch.dtype, torch.memory_format)):
            name = str(value).removeprefix("torch.")
            return f"{self.reference(torch, 'torch', where)}.{name}"
        if isinstance(value, torch.device):
            return f'{self.reference(torch, "torch", where)}.device("{value}")'
        name = getattr(value, "__name__", "")
        for module, alias in ((torch, "torch"), (nn, "nn"), (nn.functional, "F")):
            if callable(value) and getattr(module, name, None) is value:
                return f"{self.reference(module, alias, where)}.{name}"
        return None

    def _referred(self, value: Any, where: str) -> Node | None:
        if isinstance(value, Enum):
            return f"{self.reference(type(value), type(value).__name__, where)}.{value.name}"
        if isinstance(value, (type, FunctionType, BuiltinFunctionType)):
            return self.reference(value, value.__name__, where)
        if isinstance(value, ModuleType):
            return self.reference(value, value.__name__.rpartition(".")[2], where)
        return None

    def _constructed(self, value: Any, where: str) -> Node | None:
        """Named tuples, dataclasses and partial functions: calls with their fields."""
        if isinstance(value, partial):
            function = self.reference(partial, "partial", where)
            arguments = [("", self.node(value.func, where))]
            arguments += [("", self.node(item, where)) for item in value.args]
            return Group(function, "()", (*arguments, *self._named(value.keywords, where)))
        if isinstance(value, tuple) and hasattr(value, "_asdict"):
            fields = value._asdict()
        elif dataclasses.is_dataclass(value):
            fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.init}
        else:
            return None
        head = self.reference(type(value), type(value).__name__, where)
        return Group(head, "()", self._named(fields, where))

    def _named(self, fields: dict[str, Any], where: str) -> tuple[tuple[str, Node], ...]:
        return tuple((f"{name}=", self.node(v, f"{where}.{name}")) for name, v in fields.items())


def quoted(text: str) -> str:
    """Write a text in double quotes where that takes no more escapes."""
    single = repr(text)
    if single.startswith("'") and '"' not in text:
        return '"' + single[1:-1] + '"'
    return single
