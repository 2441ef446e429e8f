"""NAS-Bench-101: 423,624 cells on CIFAR-10, three trainings each; the `.tfrecord` files.

Source: Ying et al., NAS-Bench-101, ICML 2019, arXiv:1902.09635; github google-research/nasbench.
"""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas import registry
from nas.benchmarks.columns import Column, Problem
from nas.benchmarks.model_metrics import read_model_metrics
from nas.benchmarks.reader import Reader
from nas.benchmarks.table import TableData
from nas.benchmarks.tfrecord import first_record, records
from nas.errors import NasError
from nas.progress import Progress

__all__ = ["NASBench101Reader"]

_REPEATS = 3
_STATISTICS = (("", "seconds"), ("train", "accuracy"), ("valid", "accuracy"), ("test", "accuracy"))
"""Split and metric of the numbers of an evaluation, after its epoch."""
_FULL_TRAINING = 108


@registry.register(
    "benchmarks",
    "nas-bench-101",
    "423,624 cells trained on CIFAR-10 three times each, 108 epochs (and 4, 12, 36)",
    "Ying et al., NAS-Bench-101, ICML 2019, arXiv:1902.09635",
)
class NASBench101Reader(Reader):
    """Reads `nasbench_only108.tfrecord` (0.5 GB) and `nasbench_full.tfrecord` (1.95 GB).

    A record is one training: the cell, its epochs, and accuracies at the start, half way and at the
    end. The learning rate falls to zero over all epochs of a training, so that half of 108 epochs
    is not what 54 epochs would give; such numbers are the columns of `halfway_accuracy`.
    """

    files = (
        "nasbench_only108.tfrecord or nasbench_full.tfrecord, from storage.googleapis.com/nasbench"
    )

    def recognises(self, path: Path) -> bool:
        return path.is_file() and first_record(path).startswith(b'["')

    def read(self, path: Path | None, progress: Progress) -> TableData:
        if path is None:
            raise NasError(f"nas-bench-101 is read from a file: {self.files}")
        trainings = _Trainings(path)
        # the sizes of records hardly differ
        with progress.bar("reading nas-bench-101, MB", path.stat().st_size >> 20) as bar:
            read = shown = 0
            for batch in records(path):
                for record in batch:
                    trainings.add(record)
                read += sum(map(len, batch)) + 16 * len(batch)
                while shown < read >> 20:
                    shown += 1
                    bar.advance()
        trainings.require_whole(progress)
        return trainings.table()


class _Trainings:
    """Numbers of all trainings: by epochs an array [cells, repeats, half or end, statistics]."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._space: Any = registry.get("search_spaces", "nas-bench-101").factory()
        self._rows: dict[str, int] = {}
        self._choices: list[tuple[int, ...]] = []
        self._params: list[int] = []
        self._numbers: dict[int, NDArray[np.float32]] = {}
        self._counts: dict[int, NDArray[np.uint8]] = {}

    def add(self, record: bytes) -> None:
        """Take one training; raises `NasError` for what is none."""
        try:
            module, epochs, adjacency, operations, metrics = json.loads(record)
            params, evaluations = read_model_metrics(base64.b64decode(metrics))
            if len(evaluations) < 3 or type(epochs) is not int:
                raise ValueError(f"{len(evaluations)} evaluations of {epochs!r} epochs")
            row = self._rows.get(module)
            if row is None:
                row = self._rows[module] = len(self._rows)
                self._params.append(params)
                self._choices.append(self._cell(adjacency, operations))
            self._put(row, epochs, [evaluations[1][1:], evaluations[2][1:]])
        except (NasError, TypeError, ValueError, RecursionError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise NasError(
                f"{self._path}: a record is no training of NAS-Bench-101 ({reason:.100})"
            ) from error

    def _cell(self, adjacency: str, operations: str) -> tuple[int, ...]:
        side = math.isqrt(len(adjacency))
        matrix = [[int(bit) for bit in adjacency[i * side : (i + 1) * side]] for i in range(side)]
        choices: tuple[int, ...] = self._space.from_spec(matrix, operations.split(",")).choices
        return choices

    def _put(self, row: int, epochs: int, numbers: list[Any]) -> None:
        if epochs not in self._numbers:
            self._numbers[epochs] = np.empty((0, _REPEATS, 2, len(_STATISTICS)), np.float32)
            self._counts[epochs] = np.empty(0, np.uint8)
        if row >= len(self._counts[epochs]):
            size = max(1024, 2 * row)
            more = size - len(self._counts[epochs])
            blank = np.full((more, _REPEATS, 2, len(_STATISTICS)), np.nan, np.float32)
            self._numbers[epochs] = np.concatenate([self._numbers[epochs], blank])
            self._counts[epochs] = np.append(self._counts[epochs], np.zeros(more, np.uint8))
        repeat = int(self._counts[epochs][row])
        if repeat == _REPEATS:
            raise ValueError(f"a cell with more than {_REPEATS} trainings of {epochs} epochs")
        self._numbers[epochs][row, repeat] = numbers
        self._counts[epochs][row] += 1

    def require_whole(self, progress: Progress) -> None:
        """Raise `NasError` where trainings are missing; tell where cells are."""
        n = len(self._choices)
        for epochs, counts in self._counts.items():
            lacking = n - int((counts[:n] == _REPEATS).sum())
            if lacking:
                raise NasError(
                    f"{self._path}: it is truncated; {lacking} of {n} cells lack trainings of "
                    f"{epochs} epochs"
                )
        if not n:
            raise NasError(f"{self._path}: it is empty")
        if n != self._space.size:
            progress.warn(f"{self._path} has {n} of {self._space.size} cells")

    def table(self) -> TableData:
        """Return all trainings."""
        n = len(self._choices)
        columns = [Column("params", maximise=False)]
        arrays: dict[str, NDArray[Any]] = {"params": np.array(self._params)}
        for epochs, numbers in sorted(self._numbers.items()):
            for when in (1, 0):
                for i, statistic in enumerate(_STATISTICS):
                    column = _column(*statistic, epochs, halfway=not when)
                    columns.append(column)
                    arrays[column.name] = numbers[:n, :, when, i]
        return TableData(
            "nas-bench-101",
            "nas-bench-101",
            np.array(self._choices, dtype=np.int64),
            columns,
            arrays,
            _problems(sorted(self._numbers, reverse=True)),
            f"{self._path.name}: Ying et al., NAS-Bench-101 (Apache-2.0)",
        )


def _column(split: str, metric: str, epochs: int, halfway: bool) -> Column:
    seconds = metric == "seconds"
    images = {"train": "of 10,000 training images", "valid": "10,000 images held out", "test": ""}
    note = "training alone" if seconds else images[split]
    if halfway:
        metric = f"halfway_{metric}"
        note = f"half way through the training{f'; {note}' if note else ''}"
    unit = "s" if seconds else "share"
    return Column(metric, "cifar10", split, epochs, _REPEATS, unit, not seconds, note)


def _problems(epochs: list[int]) -> list[Problem]:
    """Search after the longest training first; then, as cheaper questions, after shorter ones."""
    report = (f"cifar10/test_accuracy@{epochs[0]}",) if epochs else ()
    return [
        Problem(
            "cifar10" if number == _FULL_TRAINING else f"cifar10-{number}-epochs",
            f"cifar10/valid_accuracy@{number}",
            report,
            f"cifar10/seconds@{number}",
            ("params",),
        )
        for number in epochs
    ]
