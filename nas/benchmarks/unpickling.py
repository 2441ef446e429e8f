"""Pickles of numbers and containers, read as data: what the names in them stand for.

Nothing of it is the original: NumPy's own functions make objects of whatever bytes they are given;
these check them first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.benchmarks.pickle_machine import Buffer, NoData, Rebuilt, Unpickler, require_plain

__all__ = ["DATA", "load_pickle"]


def load_pickle(data: Buffer, allowed: Mapping[str, Callable[..., Any]], where: str) -> Any:
    """Read one pickle.

    Args:
        data: The pickle.
        allowed: `module.name` -> what is called in its place; `DATA` is enough for what holds
            numbers, text and containers of them.
        where: Name of the file, for messages.

    Returns:
        What was pickled. NumPy's scalars are plain numbers; its arrays have `__array__`.

    Raises:
        NasError: That names the file and what it asks for, or where it is damaged.
    """
    return Unpickler(data, allowed, where).load()


class _DType(Rebuilt):
    """Stands in for `numpy.dtype`: numbers and text only."""

    def __init__(self, code: str, *options: object) -> None:
        if not re.fullmatch(r"[biuf][1248]|[SU]\d{1,4}|O8?", code):
            raise NoData(f"it has numbers of type '{code:.20}'")
        self.code = code

    def set_state(self, state: Any) -> None:
        order = state[1]
        if order not in ("<", ">", "|", "=") or state[2:5] != (None, None, None):
            raise NoData("it has numbers of a type with fields")
        self.code = order + self.code


class _Array(Rebuilt):
    """Stands in for `numpy.ndarray`."""

    def __init__(self, values: Any = ()) -> None:
        self._values = values

    def set_state(self, state: Any) -> None:
        _, shape, kind, fortran, raw = state
        if type(raw) is list:
            self._values = raw
        else:
            self._values = _array(raw, kind).reshape(shape, order="F" if fortran else "C")

    def __len__(self) -> int:
        return len(self._values)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self._values, dtype=dtype)


def _array(raw: Any, kind: Any) -> NDArray[Any]:
    if type(raw) is not bytes or type(kind) is not _DType:
        raise NoData("it is damaged (an array without numbers)")
    return np.frombuffer(raw, np.dtype(kind.code))


def _scalar(kind: Any, raw: Any) -> Any:
    return _array(raw, kind).reshape(()).item()


def _from_buffer(raw: Any, kind: Any, shape: Any, order: str) -> _Array:
    return _Array(_array(raw, kind).reshape(shape, order="F" if order == "F" else "C"))


def _mapping(pairs: Iterable[Any] = ()) -> dict[Any, Any]:
    found = [tuple(pair) for pair in pairs]
    require_plain([key for key, _ in found])
    return dict(found)


def _members(items: Iterable[Any] = ()) -> set[Any]:
    return set(require_plain(list(items)))


def _encode(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise NoData(f"it has bytes in the encoding '{encoding:.20}'")
    return text.encode(encoding)


def _not_called(*arguments: object) -> None:
    raise NoData("it makes an array in an unknown way")


_MAKERS: dict[str, Callable[..., Any]] = {
    "multiarray.scalar": _scalar,
    "multiarray._reconstruct": lambda *arguments: _Array(),
    "numeric._frombuffer": _from_buffer,
}

DATA: dict[str, Callable[..., Any]] = {
    **{f"numpy.core.{name}": make for name, make in _MAKERS.items()},
    **{f"numpy._core.{name}": make for name, make in _MAKERS.items()},
    "numpy.dtype": _DType,
    "numpy.ndarray": _not_called,
    "collections.OrderedDict": _mapping,
    "builtins.set": _members,
    "builtins.frozenset": _members,
    "__builtin__.set": _members,
    "__builtin__.bytes": lambda: b"",
    "__builtin__.frozenset": _members,
    "_codecs.encode": _encode,
}
"""The names that data need, and what is called in their place; none of it is the original."""
