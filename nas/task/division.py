"""From labels and examples to what a task is made of: splits, examples in order, statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas.task.arrays import Arrays, Labels, channel_statistics, gather
from nas.task.dataset import Datasets
from nas.task.device import check_memory, find_device
from nas.task.examples import Examples
from nas.task.info import TaskInfo
from nas.task.reader import ImageReader, read_labels
from nas.task.splits import Indices, Splits, make_splits

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Division", "Given", "divide", "given_arrays", "given_datasets"]

_MEASURED = 2**15
_MEASURED_AT_ONCE = 256


Statistics = Callable[[Iterable[NDArray[Any]]], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Raw examples in pieces -> mean and standard deviation to normalise with."""


@dataclass(frozen=True)
class Given:
    """What a task shall be made of.

    Args:
        labels: Of all examples; they stratify the splits.
        examples: Returns the examples of splits, in their order, on the CPU; test examples count
            on after the training ones.
        info: Shapes and kind; None is examples of as many classes as there are.
        targets: Returns the targets at given indices; None takes the labels.
        statistics: Of the examples; None where they are used as they are.
        splits: Standard ones, of which no setting changes anything; None draws them.
        facts: What else a run records, JSON-able.
    """

    labels: Labels
    examples: Callable[[Splits], Examples]
    info: TaskInfo | None = None
    targets: Callable[[Indices], Tensor] | None = None
    statistics: Statistics | None = channel_statistics
    splits: Splits | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def given_arrays(arrays: Arrays, name: str) -> Given:
    """Offer arrays, of which those examples are copied that a task needs.

    Args:
        arrays: Checked ones.
        name: Of the data, for messages.
    """

    def examples(splits: Splits) -> Examples:
        import torch

        from nas.task.examples.tensors import TensorExamples

        check_memory(name, splits.size * (arrays.x[0].nbytes + 8), find_device("cpu"))
        return TensorExamples(torch.from_numpy(gather(arrays, splits.order())))

    return Given(arrays, examples)


def given_datasets(
    datasets: Datasets, workers: int, *, classes: Any, layout: str, name: str
) -> Given:
    """Offer datasets, of which examples are read when they are needed.

    Args:
        datasets: Of one problem.
        workers: Processes that read; 0 reads in this one.
        classes: Names of the classes; None counts the labels.
        layout: As for `Task.from_arrays`.
        name: Of the data, for messages.

    Raises:
        NasError: For labels that are not 0, 1, ..., or a first example that is none.
    """
    labels = read_labels(datasets, classes, workers, name)
    read = ImageReader(datasets, layout, labels.all)
    shape = read.shape()

    def examples(splits: Splits) -> Examples:
        from nas.task.examples.streamed import StreamedExamples

        return StreamedExamples(read, splits.order(), workers, shape, find_device("cpu"))

    return Given(labels, examples)


@dataclass(frozen=True)
class Division:
    """What a task has under the same names, on the CPU; see `Task`."""

    info: TaskInfo
    classes: tuple[str, ...]
    examples: Examples
    y: Tensor
    bounds: dict[str, tuple[int, int]]
    mean: Tensor
    std: Tensor
    origin: dict[str, Any]


def divide(
    given: Given,
    *,
    valid_fraction: float,
    test_fraction: float,
    limit: int | None,
    seed: int,
    name: str,
) -> Division:
    """Make splits, put the examples into their order, and measure the train split.

    Mean and deviation are of its first 32,768 examples, which are a random sample.

    Args:
        given: Labels and examples.
        valid_fraction, test_fraction, limit, seed: As for `Task.from_arrays`.
        name: Of the data, for messages.

    Raises:
        NasError: For a setting out of range, too few examples, or too many for the memory.
    """
    import torch

    y_test = given.labels.y_test
    splits = given.splits or make_splits(
        given.labels.y,
        None if y_test is None else len(y_test),
        valid_fraction=valid_fraction,
        test_fraction=test_fraction,
        limit=limit,
        seed=seed,
        name=name,
    )
    order = splits.order()
    examples = given.examples(splits)
    classes = given.labels.classes
    mean = std = np.zeros(0, np.float32)
    if given.statistics is not None:
        measured = range(min(len(splits.train), _MEASURED))
        chunks = (chunk.numpy() for chunk in examples.batches(measured, _MEASURED_AT_ONCE))
        mean, std = given.statistics(chunks)
    drawn = {
        "seed": seed,
        "valid_fraction": valid_fraction,
        "test_fraction": test_fraction if y_test is None else None,
        "limit": limit,
    }
    return Division(
        given.info or TaskInfo(examples.shape, len(classes)),
        classes,
        examples,
        given.targets(order) if given.targets else torch.from_numpy(given.labels.all[order]),
        splits.bounds(),
        torch.from_numpy(mean),
        torch.from_numpy(std),
        {
            **(drawn if given.splits is None else {"seed": seed, "split": "standard"}),
            "sha256": splits.sha256(),
            **given.facts,
        },
    )
