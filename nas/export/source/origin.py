"""Where classes and functions come from: their source, the names around them, their import."""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections import ChainMap
from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any, NamedTuple

from nas.errors import NasError

__all__ = ["environment", "import_of", "is_own", "plain_form", "source_of"]


def is_own(module: str, referrer: str) -> bool:
    """Tell whether code of a module is copied, rather than imported, where another refers to it.

    Args:
        module: Where the code is from.
        referrer: The module that refers to it. Packages that are installed are imported by
            others, and copied by themselves.
    """
    top = module.partition(".")[0]
    if top == "torch" or top in sys.stdlib_module_names:
        return False
    if top in ("nas", referrer.partition(".")[0]):
        return True
    place = getattr(sys.modules.get(top), "__file__", None) or ""
    return not re.search(r"[\\/](site|dist)-packages[\\/]", place)


def plain_form(thing: type | FunctionType) -> type | FunctionType:
    """Return what is written down for a definition: by default itself.

    A function that is fast rather than plain says what (`nas.search_spaces.graph.written`).
    """
    plain: type | FunctionType = vars(thing).get("__written_as__", thing)
    return plain


def source_of(thing: type | FunctionType) -> tuple[str, int]:
    """Return the source of a class or function, as if it stood alone, and the line it starts at."""
    try:
        lines, start = inspect.getsourcelines(thing)
    except (OSError, TypeError) as error:
        fields = getattr(thing, "_fields", None)
        if isinstance(thing, type) and issubclass(thing, tuple) and fields:  # namedtuple(...)
            types = "".join(f"    {field}: object\n" for field in fields)
            return f"class {thing.__name__}(NamedTuple):\n{types}", 1
        raise NasError(
            f"export to python: there is no source of '{thing.__module__}.{thing.__qualname__}'; "
            "define it in a file"
        ) from error
    return textwrap.dedent("".join(lines)).strip("\n") + "\n", start


def environment(thing: type | FunctionType) -> Mapping[str, object]:
    """Return the values of the names that are global to a definition or to what encloses it."""
    functions = [thing] if isinstance(thing, FunctionType) else list(_functions(vars(thing)))
    cells: dict[str, object] = {thing.__name__: thing}
    if getattr(thing, "_fields", None):
        cells["NamedTuple"] = NamedTuple  # see `source_of`
    for base in getattr(thing, "__bases__", ()):
        if base.__module__ != "builtins":
            cells.setdefault(base.__name__, base)
    for function in functions:
        names = function.__code__.co_freevars
        for name, cell in zip(names, function.__closure__ or (), strict=True):
            if name != "__class__":
                cells[name] = cell.cell_contents
    own = [f.__globals__ for f in functions if f.__module__ == thing.__module__]
    module = sys.modules.get(thing.__module__)
    return ChainMap(cells, own[0] if own else vars(module) if module else {})


def _functions(members: Mapping[str, object]) -> Iterator[FunctionType]:
    for member in members.values():
        inner: Any = getattr(member, "__func__", getattr(member, "fget", member))
        inner = inspect.unwrap(inner) if callable(inner) else inner
        if isinstance(inner, FunctionType):
            yield inner


def import_of(value: Any, wanted: str, where: str) -> tuple[str, str]:
    """Return a module that a value can be imported from, and its name there.

    Args:
        value: A class, a function, or something of `typing`.
        wanted: The name that it has where it is used.
        where: Where that is, for the error message.

    Raises:
        NasError: If no module is found.
    """
    module = getattr(value, "__module__", None) or "builtins"
    parts = module.split(".")
    inside = [".".join(parts[: end + 1]) for end in range(len(parts))]
    public = [name for name in inside if "._" not in f".{name}"]
    for place in (*public, "torch", "torch.nn.functional", "types", *inside):
        for name in (getattr(value, "__name__", wanted), wanted):
            if getattr(sys.modules.get(place), name, None) is value:
                return place, name
    raise NasError(
        f"export to python: {where} refers to '{wanted}', which '{module}' does not give"
    )
