"""The names of data sources: each is a function in a file of this folder, with a decorator.

A new source is one new file: a function that takes a `Request` and returns a `Task`, under
`@data_source(name, description)`. Files import data libraries inside their functions only, so
that listing the names stays quick.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.errors import NasError, unknown
from nas.settings import setting

if TYPE_CHECKING:
    import torch

    from nas.task import Given, Task

__all__ = ["DataSettings", "Request", "Source", "data_source", "find_source", "sources"]

DEFAULT_ROOT = "~/.cache/nas/data"


@dataclass(frozen=True)
class DataSettings:
    """What a user may set for every source; a source with more settings extends this class."""

    valid_fraction: float = setting(0.5, "share of the training examples that gates learn from")
    limit: int | None = setting(None, "use at most this many training examples")
    label_smoothing: float = setting(0.0, "label smoothing of the cross entropy")
    auxiliary_weight: float = setting(0.4, "weight of the loss of an auxiliary classifier")

    def common(self) -> dict[str, Any]:
        """Return the settings that `Task.from_arrays` takes."""
        return {
            "valid_fraction": self.valid_fraction,
            "limit": self.limit,
            "label_smoothing": self.label_smoothing,
            "auxiliary_weight": self.auxiliary_weight,
        }


@dataclass(frozen=True)
class Request:
    """What a source is asked for.

    Args:
        spec: As the user wrote it; names the task and appears in messages.
        argument: What follows the colon; empty where the source takes none.
        settings: Of the class that the source registered.
        seed: Decides the split.
        device: Where the data shall lie.
        download: Whether missing data may be fetched.
        root: The folder of downloaded data sets; None is the default.
    """

    spec: str
    argument: str = ""
    settings: DataSettings = DataSettings()
    seed: int = 0
    device: str | torch.device = "cpu"
    download: bool = False
    root: str | None = None

    @property
    def folder(self) -> Path:
        """The folder of downloaded data sets."""
        return Path(self.root or DEFAULT_ROOT).expanduser()

    @property
    def path(self) -> Path:
        """The argument as a path."""
        return Path(self.argument).expanduser()

    def task(
        self, x_train: Any, y_train: Any, x_test: Any = None, y_test: Any = None, **facts: Any
    ) -> Task:
        """Make the task: arrays and facts as for `Task.from_arrays`, the rest as requested."""
        from nas.task import Task

        return Task.from_arrays(x_train, y_train, x_test, y_test, **self._settings(facts))

    def dataset_task(self, train: Any, test: Any, **facts: Any) -> Task:
        """Make the task of torch datasets, as `task` does: facts as for `Task.from_dataset`."""
        from nas.task import Task

        return Task.from_dataset(train, test, **self._settings(facts))

    def given_task(self, given: Given, **facts: Any) -> Task:
        """Make the task of what was read, as `task` does: facts as for `Task.from_given`."""
        from nas.task import Task

        return Task.from_given(given, **self._settings(facts))

    def _settings(self, facts: dict[str, Any]) -> dict[str, Any]:
        given = {"name": self.spec, "seed": self.seed, "device": self.device, **facts}
        return {**self.settings.common(), **given}


Load = Callable[[Request], "Task"]


@dataclass(frozen=True)
class Source:
    """A registered source.

    Args:
        name: As typed on the command line.
        description: One line.
        load: The function that loads it.
        argument: What has to follow `name:`, such as `PATH`; empty for nothing.
        settings: The class of its settings.
    """

    name: str
    description: str
    load: Load
    argument: str = ""
    settings: type[DataSettings] = DataSettings

    @property
    def usage(self) -> str:
        """The name with its argument, such as `npz:PATH`."""
        return f"{self.name}:{self.argument}" if self.argument else self.name


_sources: dict[str, Source] = {}


def data_source(
    name: str,
    description: str,
    *,
    argument: str = "",
    settings: type[DataSettings] = DataSettings,
) -> Callable[[Load], Load]:
    """Return a decorator that registers a function as a data source (see `Source`).

    Raises:
        NasError: When another file has registered the name.
    """

    def add(load: Load) -> Load:
        known = _sources.get(name)
        if known and known.load.__module__ != load.__module__:
            raise NasError(
                f"data '{name}' is registered twice: by {known.load.__module__} and "
                f"by {load.__module__}"
            )
        _sources[name] = Source(name, description, load, argument, settings)
        return load

    return add


@cache
def _discover() -> None:
    package = import_module("nas.data")
    for module in pkgutil.iter_modules(package.__path__):
        import_module(f"nas.data.{module.name}")


def sources() -> dict[str, Source]:
    """Return all sources by name, sorted."""
    _discover()
    return dict(sorted(_sources.items()))


def find_source(spec: str) -> tuple[Source, str]:
    """Split `name` or `name:argument` into the source and its argument.

    Raises:
        NasError: For an unknown name, a missing argument, or one that is not taken.
    """
    name, _, argument = spec.partition(":")
    known = sources()
    if name not in known:
        raise unknown("data", name, known)
    source = known[name]
    if bool(argument) != bool(source.argument):
        expected = "takes no argument" if argument else "needs an argument"
        raise NasError(f"data '{spec}': {name} {expected}; expected {source.usage}")
    return source, argument
