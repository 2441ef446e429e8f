"""Scores paths of any supernet, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nas.costs import watching
from nas.evaluators.scoring.batch_norm import recalibrate, use_batch_statistics
from nas.evaluators.scoring.data import Batch, Data
from nas.space import Path
from nas.task import Input

if TYPE_CHECKING:
    from nas.evaluators.supernet_settings import SupernetSettings
    from nas.mutables import Supernet
    from nas.task import Task

__all__ = ["score_path", "score_separately"]

_WIDER = 4  # batches that are run as one where that makes no difference
_TOLERANCE = 1e-4  # of logits


def score_path(
    supernet: Supernet, path: Path, task: Task, split: str, settings: SupernetSettings
) -> dict[str, float]:
    """Measure one path of a supernet.

    Args:
        supernet: With trained weights.
        path: As from `supernet.path`.
        task: The data.
        split: Which examples to score on.
        settings: Batch size and what batch norm does.

    Returns:
        The metrics of the task ("accuracy" in [0, 1], mean "loss", ...) and the network's own.
    """
    return score_separately(supernet, path, Data(task, split, settings))


@torch.no_grad()
def score_separately(supernet: Supernet, path: Path, data: Data) -> dict[str, float]:
    """Measure one of several paths.

    Batches that are kept are run several at a time if that makes no difference to this path, which
    is seen from the first two.

    Args:
        supernet: With trained weights.
        path: As from `supernet.path`.
        data: What to score on.

    Returns:
        As `score_path`.
    """

    def run(x: Input) -> Tensor:
        output: Tensor = supernet(x, path)
        return output

    if data.recalibrates:
        recalibrate(supernet, run, (x for x, _ in data.calibration()))
    else:
        use_batch_statistics(supernet)
    batches = data.scored()
    if data.recalibrates and isinstance(batches, list) and _indifferent(run, batches):
        batches = _wider(batches)
    loss = correct = count = 0.0
    with watching(supernet.network) as own:
        for x, target in batches:
            output = run(x)
            loss += data.task.loss(output, target).item() * target.numel()
            correct += data.task.correct(output, target)
            count += target.numel()
    return data.task.metrics(correct / count, loss / count) | own()


def _indifferent(run: Callable[[Input], Tensor], batches: Sequence[Batch]) -> bool:
    """Tell whether two batches together give what they give one after the other."""
    if len(batches) < _WIDER:
        return False
    (first, _), (second, _) = batches[:2]
    if not isinstance(first, Tensor) or not isinstance(second, Tensor):
        return False
    devices = [first.device] if first.device.type == "cuda" else []
    with torch.random.fork_rng(devices):  # a random candidate is then scored as if not tried
        try:
            together, one_by_one = run(torch.cat([first, second])), [run(first), run(second)]
        except Exception:  # whether it fails in its own batches shows there
            return False
    if not isinstance(together, Tensor):
        return False
    return torch.allclose(together, torch.cat(one_by_one), rtol=_TOLERANCE, atol=_TOLERANCE)


def _wider(batches: Iterable[Batch]) -> Iterator[Batch]:
    rest = iter(batches)
    while some := list(islice(rest, _WIDER)):
        yield torch.cat([x for x, _ in some]), torch.cat([y for _, y in some])
