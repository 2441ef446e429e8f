"""Scores many paths of a supernet at once: what they share is computed once.

See docs/scoring.md for how, and for what it gains.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from nas.evaluators.scoring.data import Data
from nas.evaluators.scoring.separate import score_separately
from nas.evaluators.scoring.together import score_together
from nas.evaluators.scoring.trace import Traceable
from nas.space import Path
from nas.task import memory_size

if TYPE_CHECKING:
    from nas.evaluators.supernet_settings import SupernetSettings
    from nas.mutables import Supernet
    from nas.task import Task

__all__ = ["Score", "score_paths", "try_paths"]

Score = dict[str, float]
"""Accuracy in [0, 1], mean loss, and what else the task and the network say."""
_UNKNOWN_MEMORY = 2**30


def score_paths(
    supernet: Supernet,
    paths: Sequence[Path],
    task: Task,
    split: str,
    settings: SupernetSettings,
    memory: int | None = None,
) -> list[Score]:
    """Measure paths of a supernet, each as `score_path` does (the loss to rounding).

    The score of a path does not depend on which others are scored with it, to the last bit.

    Args:
        supernet: With trained weights, which must be finite. Its running statistics may change.
        paths: As from `supernet.path`.
        task: The data.
        split: Which examples to score on.
        settings: Batch size and what batch norm does.
        memory: Bytes for what is kept because later paths need it; None is a quarter of what the
            device has. It decides only how much is computed again.

    Returns:
        The metrics of every path.

    Raises:
        Exception: What the first path that fails raises.
    """
    scores = []
    for result in try_paths(supernet, paths, task, split, settings, memory):
        if isinstance(result, Exception):
            raise result
        scores.append(result)
    return scores


def try_paths(
    supernet: Supernet,
    paths: Sequence[Path],
    task: Task,
    split: str,
    settings: SupernetSettings,
    memory: int | None = None,
    before: Callable[[int], None] | None = None,
) -> list[Score | Exception]:
    """Measure paths as `score_paths` does; one that raises does not keep others from their score.

    Args:
        supernet, paths, task, split, settings, memory: As for `score_paths`.
        before: Called with the position of a path before it is run alone, to set random numbers.

    Returns:
        For every path its score, or what it raised.
    """
    if memory is None:
        memory = (memory_size(task.device) or 4 * _UNKNOWN_MEMORY) // 4
    data = Data(task, split, settings)
    first: dict[frozenset[tuple[str, object]], int] = {}
    same = [first.setdefault(frozenset(path.items()), i) for i, path in enumerate(paths)]
    found: dict[int, Score | Exception] = {}
    if isinstance(supernet.network, Traceable):
        complete = [i for i in first.values() if paths[i].keys() == supernet.gates.keys()]
        scores = _together(supernet, [paths[i] for i in complete], data, memory)
        found |= {i: score for i, score in zip(complete, scores, strict=True) if score is not None}
    alone = [i for i in first.values() if i not in found]
    if len(alone) > 1:
        data.keep(memory)
    for i in alone:
        if before is not None:
            before(i)
        found[i] = _alone(supernet, paths[i], data)
    return [found[i] for i in same]


def _together(
    supernet: Supernet, paths: Sequence[Path], data: Data, memory: int
) -> list[Score | None]:
    """Return scores, None of a path that cannot be run so; where all fail each has another try."""
    if not paths:
        return []
    try:
        return [*score_together(supernet, paths, data, memory)]
    except Exception:  # lack of memory, or one path's fault
        half = len(paths) // 2
        if not half:
            return [None]
        parts = (paths[:half], paths[half:])
        return [score for part in parts for score in _together(supernet, part, data, memory)]


def _alone(supernet: Supernet, path: Path, data: Data) -> Score | Exception:
    try:
        return score_separately(supernet, path, data)
    except Exception as error:  # whatever a candidate does, the others are scored
        return error
