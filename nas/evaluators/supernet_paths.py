"""Which architectures a step of a supernet's training runs.

Sources: single paths: Guo et al., Single Path One-Shot NAS, ECCV 2020, arXiv:1904.00420; the
sandwich rule: Yu and Huang, Universally Slimmable Networks, ICCV 2019, arXiv:1903.05134, sec. 3.2,
and Yu et al., BigNAS, ECCV 2020, arXiv:2003.11142, sec. 3.1; progressive shrinking: Cai et al.,
Once-for-All, ICLR 2020, arXiv:1908.09791, sec. 3.3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nas.errors import NasError
from nas.space import Architecture, Choices, Decision, SearchSpace

__all__ = ["PATHS", "Draw", "Phase", "Schedule", "Shrinking", "extreme", "paths_of"]

PATHS = ("auto", "single", "sandwich", "progressive")
Draw = Callable[[np.random.Generator], Architecture]


@runtime_checkable
class Shrinking(Protocol):
    """A space that says how its supernet is trained by progressive shrinking."""

    @property
    def shrinking_stages(self) -> int:
        """The number of stages: in the first all sizes are largest, in the last all are free."""

    def shrinking_name(self, stage: int) -> str:
        """Return what a stage opens, in a word."""

    def sample_shrunk(self, rng: np.random.Generator, n: int, stage: int) -> Choices:
        """Draw a population [n, d] from what is open at a stage."""


@dataclass(frozen=True)
class Phase:
    """What the steps of an epoch run.

    Args:
        name: For the log; empty where there are no phases.
        step: Returns the architectures of one step, given what draws one and random numbers.
    """

    name: str
    step: Callable[[Draw, np.random.Generator], list[Architecture]]


class Schedule:
    """The phases of a training.

    Args:
        space: Whose supernet is trained.
        paths: "single", "sandwich" or "progressive".
        epochs: Of the whole training.
        largest_epochs: Of the sandwich rule: the first ones, in which only the largest run.
    """

    def __init__(self, space: SearchSpace, paths: str, epochs: int, largest_epochs: int) -> None:
        self.space, self.paths, self.epochs = space, paths, epochs
        self.largest_epochs = largest_epochs if paths == "sandwich" else 0

    def phase(self, epoch: int) -> Phase:
        """Return the phase of an epoch, counted from 0."""
        if self.paths == "progressive":
            return self._shrunk(epoch)
        if epoch < self.largest_epochs:
            return Phase("largest", lambda _, rng: [extreme(self.space, True, rng)])
        return Phase("sandwich", self._sandwich) if self.paths == "sandwich" else Phase("", _single)

    def opens(self, epoch: int) -> bool:
        """Tell whether smaller sizes run in an epoch, and only the largest before it."""
        if epoch == 0 or self.paths == "single":
            return False
        first = self.phase(0).name
        only_largest = self.paths == "progressive" or self.largest_epochs > 0
        return only_largest and self.phase(epoch - 1).name == first != self.phase(epoch).name

    def _sandwich(self, draw: Draw, rng: np.random.Generator) -> list[Architecture]:
        ends = [extreme(self.space, largest, rng) for largest in (True, False)]
        return [*ends, draw(rng), draw(rng)]

    def _shrunk(self, epoch: int) -> Phase:
        space, left = self.space, self.epochs - 1 - epoch
        assert isinstance(space, Shrinking)
        stages = space.shrinking_stages
        stage = stages - 1 - left * stages // self.epochs  # the last epoch is in the last stage

        def step(_: Draw, rng: np.random.Generator) -> list[Architecture]:
            return self.space.from_array(space.sample_shrunk(rng, 1, stage))

        return Phase(space.shrinking_name(stage), step)


def paths_of(space: SearchSpace, paths: str, train_on: str) -> str:
    """Return what a step runs: the setting, or what "auto" means for a space.

    Args:
        space: Whose supernet is trained.
        paths: One of `PATHS`.
        train_on: The evaluator's setting: what the strategy proposes is trained by single paths.

    Raises:
        NasError: If the space does not say how it shrinks.
    """
    if paths == "auto":
        return space.supernet_paths if train_on == "uniform" else "single"
    if paths == "progressive" and not isinstance(space, Shrinking):
        raise NasError(
            f"evaluator.paths=progressive: space '{space.name}' has no stages of shrinking; "
            "expected sandwich or single"
        )
    return paths


def _single(draw: Draw, rng: np.random.Generator) -> list[Architecture]:
    return [draw(rng)]


# -- the largest and the smallest -----------------------------------------------------------------


def extreme(space: SearchSpace, largest: bool, rng: np.random.Generator) -> Architecture:
    """Return an architecture of which all sizes are the largest, or the smallest.

    Sizes are the ordered decisions; the others are those of a random architecture, and so are
    sizes that a constraint does not let go there all at once: they are moved one by one, in random
    order, as far as it allows.

    Args:
        space: Whose.
        largest: Or the smallest.
        rng: Random numbers.
    """
    ends = np.array([_end(decision, largest) for decision in space.decisions], dtype=np.int64)
    sizes = np.array([decision.ordered for decision in space.decisions], dtype=np.bool_)
    start = space.sample_choices(rng, 1)
    rows = (rng.random(start.shape) * space.cardinalities).astype(np.int64)
    rows = np.where(space.active(start), start, rows)  # some become active by the sizes
    rows[:, sizes] = ends[sizes]
    rows[~space.active(rows)] = 0
    if space.feasible(rows)[0]:
        return space.from_array(rows)[0]
    return _one_by_one(space, start, ends, rng.permutation(np.flatnonzero(sizes)))


def _one_by_one(
    space: SearchSpace, rows: Choices, ends: NDArray[np.int64], columns: NDArray[np.int64]
) -> Architecture:
    """Move sizes to their ends, or as near as is valid."""
    for column in (*columns, *columns):  # again: others have moved, or made it active, meanwhile
        if not space.active(rows)[0, column]:
            continue
        count = space.cardinalities[column]
        moved = np.repeat(rows, count, axis=0)
        moved[:, column] = range(count) if ends[column] == 0 else range(count - 1, -1, -1)
        moved[~space.active(moved)] = 0
        rows = moved[space.feasible(moved)][:1]
    return space.from_array(rows)[0]


def _end(decision: Decision, largest: bool) -> int:
    """Return the index of the largest or the smallest option: by value, or the last is largest."""
    options = decision.options
    if len(options) > 1 and all(isinstance(o, (int, float)) for o in options):
        largest ^= bool(options[0] > options[-1])  # type: ignore[operator]
    return len(options) - 1 if largest else 0
