"""The batches that candidates are scored on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from torch import Tensor

from nas.evaluators.scoring.batch_norm import leaves_one

if TYPE_CHECKING:
    from nas.evaluators.supernet_settings import SupernetSettings
    from nas.task import Task

__all__ = ["Batch", "Data"]

Batch = tuple[Any, Tensor]
"""Inputs, as the task gives them, and labels."""


class Data:
    """What one or many paths are scored on.

    Args:
        task: The data.
        split: Which examples to score on.
        settings: Batch size and what batch norm does.
    """

    def __init__(self, task: Task, split: str, settings: SupernetSettings) -> None:
        self.task, self.split = task, split
        self.size = settings.batch_size
        self.recalibrates = settings.batch_norm == "recalibrate"
        self._enough = math.ceil(settings.calibration / settings.batch_size)
        if task.full_batch:  # all are the same
            self._enough = 1
        self._kept: dict[str, list[Batch]] = {}

    def calibration(self) -> Iterable[Batch]:
        """Training examples for the statistics of batch norm."""
        return self._kept.get("calibration") or self._calibration()

    def scored(self) -> Iterable[Batch]:
        """The split, in the batches that batch norm sees where it takes those of each batch."""
        return self._kept.get("scored") or self._scored()

    def pieces(self, most: int) -> Iterator[Batch]:
        """The split in equal pieces of at most as many examples."""
        count = self.task.size(self.split)
        return self.task.batches(self.split, math.ceil(count / math.ceil(count / most)))

    def keep(self, memory: int) -> None:
        """Keep normalised batches on the device, as far as they fit into some bytes."""
        whole = self.task.size(self.split)
        wanted: list[tuple[str, int, Callable[[], Iterator[Batch]]]] = [
            ("calibration", self._enough * self.size * self.recalibrates, self._calibration),
            ("scored", whole, self._scored),
        ]
        for name, examples, batches in wanted:
            size = examples * math.prod(self.task.input_shape) * 4
            if 0 < size <= memory:
                self._kept[name] = list(batches())
                memory -= size

    def _calibration(self) -> Iterator[Batch]:
        last = leaves_one(self.task, "train", self.size)
        batches = self.task.batches("train", self.size, seed=0, drop_last=last)
        return islice(batches, self._enough)

    def _scored(self) -> Iterator[Batch]:
        last = not self.recalibrates and leaves_one(self.task, self.split, self.size)
        return self.task.batches(self.split, self.size, drop_last=last)
