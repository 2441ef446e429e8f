"""The statistics of batch norm that a candidate of a supernet is scored with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

if TYPE_CHECKING:
    from nas.task import Task

__all__ = ["leaves_one", "recalibrate", "use_batch_statistics"]


@torch.no_grad()
def recalibrate(module: nn.Module, run: Callable[[Any], Any], batches: Iterable[Any]) -> None:
    """Replace batch norm's running statistics by averages over some batches.

    Args:
        module: Holds the batch norm layers; it is left in evaluation mode.
        run: A forward pass of the candidate, on inputs such as [B, ...].
        batches: Inputs.
    """
    norms = [m for m in _norms(module) if m.track_running_stats]
    if not norms:
        module.eval()
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # cumulative average
    use_batch_statistics(module)
    try:
        for x in batches:
            run(x)
    finally:  # a candidate that raises must leave nothing behind for the next one
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        module.eval()


def _norms(module: nn.Module) -> list[_BatchNorm]:
    return [m for m in module.modules() if isinstance(m, _BatchNorm)]


def use_batch_statistics(module: nn.Module) -> None:
    """Bring a module into evaluation mode but for batch norm, which takes those of each batch."""
    module.eval()
    for norm in _norms(module):
        norm.train()


def leaves_one(task: Task, split: str, batch_size: int) -> bool:
    """Tell whether the last batch would be one example, of which batch norm has no variance."""
    return task.leaves_one(split, batch_size)
