"""From what a user wrote to a task: a source's name, `file.py:name`, or a task itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas import registry
from nas.data.source import Request, find_source, sources
from nas.errors import NasError
from nas.settings import fill

if TYPE_CHECKING:
    import torch

    from nas.task import Task

__all__ = ["absolute", "data_names", "load_data", "load_task"]


def data_names() -> dict[str, str]:
    """Return name -> one-line description of every data source; imports no data library."""
    return {name: source.description for name, source in sources().items()}


def load_task(
    spec: str,
    *,
    seed: int = 0,
    device: str | torch.device = "cpu",
    download: bool = False,
    root: str | None = None,
    **settings: Any,
) -> Task:
    """Load a data set as a task.

    Args:
        spec: A name such as `digits`, or a name and its argument such as `folder:PATH`.
        seed: What decides which examples are for training and which for validation.
        device: Where the data shall lie.
        download: Whether a missing data set may be fetched.
        root: The folder that downloaded data sets lie in; None is `~/.cache/nas/data`.
        **settings: The source's settings: `valid_fraction`, `limit`, `label_smoothing`,
            `auxiliary_weight` for all (see `source.DataSettings`), others for some.

    Raises:
        NasError: For an unknown name or setting, and for data that is missing or broken.
    """
    source, argument = find_source(spec)
    filled = fill(source.settings, settings, f"data {source.name}")
    return source.load(Request(spec, argument, filled, seed, device, download, root))


def load_data(
    data: str | Task, seed: int, device: str, download: bool, settings: Mapping[str, Any]
) -> Task:
    """Load data by name, `file.py:name` or as given.

    Args:
        data: A source, `file.py:name` of a `Task` or of a function that makes one, or a `Task`.
        seed: Of the splits.
        device: Where the data shall lie.
        download: Whether missing data may be fetched.
        settings: Of the source.
    """
    from nas.task import Task, find_device

    if device.startswith("meta"):
        raise NasError("device 'meta' holds no data; allowed are cpu, cuda and the like")
    if isinstance(data, str) and ".py:" in data:
        made = registry.import_object(data)
        data = made() if callable(made) else made
    if isinstance(data, Task):
        return data.to(find_device(device)) if device != "auto" else data
    if not isinstance(data, str):
        raise NasError(f"not data: {data!r:.80}; expected a name, a Task, or file.py:NAME of one")
    return load_task(data, seed=seed, device=device, download=download, **settings)


def absolute(data: str) -> str:
    """Write the path in `npz:PATH` and the like so that it holds from every folder."""
    place, colon, rest = data.partition(":")
    if colon and Path(rest).exists():
        return f"{place}:{Path(rest).resolve()}"
    if Path(place).is_file():
        return f"{Path(place).resolve()}:{rest}"
    return data
