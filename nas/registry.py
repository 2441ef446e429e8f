"""Name -> search space, strategy, part of a strategy, evaluator.

A built-in one is a file of its kind's package that calls a decorator of this module; the files
are found by looking into the package, so that adding one is adding a file. Other packages add
theirs through entry points of the group `nas.<kind>`, such as `nas.search_spaces`.
"""

from __future__ import annotations

import importlib.util
import pkgutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar

from nas.aliases import current, renamed
from nas.errors import NasError, unknown

__all__ = [
    "KINDS",
    "Entry",
    "choose",
    "get",
    "import_object",
    "names",
    "register",
    "resolve_entry",
]

KINDS = {
    "search_spaces": "search space",
    "strategies": "strategy",
    "evaluators": "evaluator",
    "benchmarks": "benchmark",
    "proxies": "proxy",
    "strategies.differentiable.relaxations": "relaxation",
    "strategies.differentiable.solvers": "solver",
    "strategies.differentiable.regularisers": "regulariser",
    "strategies.differentiable.selections": "selection",
}
"""Sub-package of `nas` -> what one of its entries is called."""

T = TypeVar("T", bound=Callable[..., Any])


@dataclass(frozen=True)
class Entry:
    """What a name stands for.

    Args:
        name: As typed on the command line.
        factory: A class or function that makes the thing.
        summary: One line.
        paper: Authors, title, venue, arXiv number; empty where there is none.
        differs: What differs from the paper, and which settings give the original.
    """

    name: str
    factory: Callable[..., Any]
    summary: str
    paper: str = ""
    differs: str = ""


_entries: dict[str, dict[str, Entry]] = {kind: {} for kind in KINDS}
_discovered: set[str] = set()


def register(
    kind: str, name: str, summary: str, paper: str = "", differs: str = ""
) -> Callable[[T], T]:
    """Return a decorator that gives a class or function a name.

    Args:
        kind: One of `KINDS`.
        name: As typed on the command line.
        summary: One line for the lists that the command line prints.
        paper: Where it was published.
        differs: One to three sentences: what is not as there, and which settings give that.
    """

    def add(factory: T) -> T:
        known = _entries[kind].get(name)
        if known and known.factory.__module__ != factory.__module__:
            raise NasError(
                f"{KINDS[kind]} '{name}' is registered twice: by {known.factory.__module__} and "
                f"by {factory.__module__}"
            )
        _entries[kind][name] = Entry(name, factory, summary, paper, differs)
        return factory

    return add


def _discover(kind: str) -> None:
    if kind in _discovered:
        return
    _discovered.add(kind)
    package = import_module(f"nas.{kind}")
    for module in pkgutil.iter_modules(package.__path__):
        import_module(f"nas.{kind}.{module.name}")
    for point in entry_points(group=f"nas.{kind}"):
        try:
            _load_plugin(kind, point)
        except NasError:
            _discovered.discard(kind)  # so that the next look tells it again
            raise


def _load_plugin(kind: str, point: Any) -> None:
    """Load one entry point; a factory that did not register itself gets the point's name."""
    try:
        factory = point.load()
    except Exception as error:
        raise NasError(f"plug-in {KINDS[kind]} '{point.name}' ({point.value}): {error}") from error
    if callable(factory) and all(e.factory is not factory for e in _entries[kind].values()):
        summary = (factory.__doc__ or point.value).strip().splitlines()[0]
        register(kind, point.name, summary)(factory)


def names(kind: str) -> dict[str, Entry]:
    """Return all entries of a kind, sorted by name."""
    _discover(kind)
    return dict(sorted(_entries[kind].items()))


def get(kind: str, name: str) -> Entry:
    """Return one entry; an unknown name raises `NasError` with the nearest match."""
    entries, name = names(kind), current(kind, name)
    if name not in entries:
        raise unknown(KINDS[kind], name, entries)
    return entries[name]


def resolve_entry(kind: str, text: str) -> tuple[Entry, dict[str, Any]]:
    """Return what `NAME` or `NAME:VALUE` stands for, such as `rl`, `optuna:tpe`, `table:mine`.

    Args:
        kind: "strategies" or "evaluators".
        text: What stands behind the first colon is the setting that the class names as `argument`.

    Returns:
        The entry, and that setting.

    Raises:
        NasError: For an unknown name, or a value where the class takes none.
    """
    text = current(kind, text)
    name, colon, value = text.partition(":")
    entry = get(kind, name)
    if not colon:
        return entry, {}
    argument = getattr(entry.factory, "argument", "")
    if not argument or not value:
        takes = f"write {name}:{argument.upper()}" if argument else f"write {name}"
        raise NasError(f"{KINDS[kind]} '{text}': {takes}")
    return entry, {argument: value}


def choose(
    kind: str, text: str, given: Mapping[str, Any]
) -> tuple[str, Callable[..., Any], dict[str, Any]]:
    """Find a part of a search by what a user wrote.

    Args:
        kind: "strategies" or "evaluators".
        text: `NAME` or `NAME:VALUE`, of today or of before.
        given: Setting -> value; they go before what `text` says.

    Returns:
        The name as a run records it, the factory, and the settings.

    Raises:
        NasError: As `resolve_entry`.
    """
    name, settings = renamed(kind, text, given)
    entry, argument = resolve_entry(kind, name)
    return ":".join([entry.name, *argument.values()]), entry.factory, {**argument, **settings}


def import_object(reference: str) -> Any:
    """Import `file.py:Name` or `package.module:Name`."""
    place, _, name = reference.rpartition(":")
    module = _from_file(Path(place)) if place.endswith(".py") else _from_package(place)
    if not hasattr(module, name):
        public = [n for n in vars(module) if not n.startswith("_")]
        raise unknown(f"name in {place}", name, public)
    return getattr(module, name)


def _from_file(file: Path) -> Any:
    if not file.is_file():
        raise NasError(f"no such file: {file}")
    name = f"nas_user_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise NasError(f"{file} cannot be imported: {type(error).__name__}: {error}") from error
    return module


def _from_package(name: str) -> Any:
    try:
        return import_module(name)
    except Exception as error:  # also what the module itself raises
        raise NasError(f"module '{name}' cannot be imported: {error}") from error
