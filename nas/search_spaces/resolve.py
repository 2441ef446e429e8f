"""From what a user wrote to a search space: a registered name, `file.py:Name`, or an object."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nas import registry
from nas.errors import NasError, unknown
from nas.settings import convert, parse_value
from nas.space import SearchSpace

__all__ = ["name_of", "resolve_space", "space_options", "with_options"]


def resolve_space(space: Any) -> SearchSpace:
    """Return a search space.

    Args:
        space: A registered name, also with options such as `gnn:layers=3`; `file.py:Name` or
            `package.module:Name` of a space or of a module written with mutables; a `SearchSpace`;
            an `nn.Module` class or function that makes one.

    Raises:
        NasError: For an unknown name or something else.
    """
    if isinstance(space, str):
        if _is_registered(space):
            return _registered_space(space)
        return resolve_space(registry.import_object(space))
    if isinstance(space, SearchSpace):
        return space
    if isinstance(space, type) and issubclass(space, SearchSpace):
        return space()
    if callable(space):
        from nas.search_spaces.module import ModuleSpace

        return ModuleSpace(space)
    raise NasError(f"not a search space: {space!r}; expected a name, a SearchSpace or a module")


def _is_registered(text: str) -> bool:
    """Tell `gnn` and `gnn:layers=3` from `file.py:Name`."""
    name, colon, rest = text.partition(":")
    return not colon or "=" in rest or name in registry.names("search_spaces")


def _registered_space(text: str) -> SearchSpace:
    """Make a registered space, perhaps with options, written as `gnn:layers=3`."""
    name, colon, options = text.partition(":")
    factory = registry.get("search_spaces", name).factory
    known = space_options(factory)
    parameters = inspect.signature(factory, eval_str=True).parameters
    values = {}
    for option, _, value in (o.partition("=") for o in options.split(",") if colon):
        if option not in known:
            raise unknown(f"option of space '{name}'", option, known)
        values[option] = convert(
            parse_value(value), parameters[option].annotation, f"{name}:{option}"
        )
    space: SearchSpace = factory(**values)
    return space


def space_options(factory: Callable[..., Any]) -> dict[str, Any]:
    """Return what may stand behind a space's name: its options, with their defaults.

    Arguments that can only be passed by keyword are none: they follow from the task.
    """
    parameters = inspect.signature(factory).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is not p.KEYWORD_ONLY}


def with_options(space: Any, options: Mapping[str, Any]) -> Any:
    """Add options to what a user wrote for a space.

    Args:
        space: As for `resolve_space`.
        options: Of the group of settings `space`, such as {"layers": 3}.

    Raises:
        NasError: If it is not a registered space's name.
    """
    if not options:
        return space
    if not isinstance(space, str) or not _is_registered(space):
        raise NasError("space.*: these are options of registered spaces; this space is your own")
    text = ",".join(f"{name}={value}" for name, value in options.items())
    return f"{space}{',' if ':' in space else ':'}{text}"


def name_of(space: Any, resolved: SearchSpace) -> str:
    """Return a text that `resolve_space` finds the same space by, as far as there is one."""
    if isinstance(space, str):
        if _is_registered(space):
            return resolved.name
        place, colon, name = space.rpartition(":")
        return f"{Path(place).resolve()}:{name}" if colon and place.endswith(".py") else space
    if callable(space) and "<" not in getattr(space, "__qualname__", "<"):
        try:
            return f"{Path(inspect.getfile(space)).resolve()}:{space.__qualname__}"
        except (TypeError, OSError):
            return resolved.name
    return resolved.name
