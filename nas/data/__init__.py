"""Data sources: `name` or `name:argument` -> a task whose data lies on a device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nas.data.source import Request, find_source, sources
from nas.settings import fill

if TYPE_CHECKING:
    import torch

    from nas.task import Task

__all__ = ["data_names", "load_task"]


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
