"""From labels and examples to what a task is made of: splits, examples in order, statistics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nas.data.arrays import Arrays, Labels, channel_statistics, gather
from nas.data.dataset import Datasets
from nas.data.device import check_memory, find_device
from nas.data.examples import Examples
from nas.data.reader import ImageReader, read_labels
from nas.data.splits import Indices, make_splits

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Division", "Given", "divide", "given_arrays", "given_datasets"]

_MEASURED = 2**15
_MEASURED_AT_ONCE = 256


@dataclass(frozen=True)
class Given:
    """What a task shall be made of.

    Args:
        labels: Of all examples.
        examples: Returns the examples at given indices, in that order, on the CPU; test examples
            count on after the training ones.
    """

    labels: Labels
    examples: Callable[[Indices], Examples]


def given_arrays(arrays: Arrays, name: str) -> Given:
    """Offer arrays, of which those examples are copied that a task needs.

    Args:
        arrays: Checked ones.
        name: Of the data, for messages.
    """

    def examples(order: Indices) -> Examples:
        import torch

        from nas.data.examples.tensors import TensorExamples

        check_memory(name, len(order) * (arrays.x[0].nbytes + 8), find_device("cpu"))
        return TensorExamples(torch.from_numpy(gather(arrays, order)))

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

    def examples(order: Indices) -> Examples:
        from nas.data.examples.streamed import StreamedExamples

        return StreamedExamples(read, order, workers, shape, find_device("cpu"))

    return Given(labels, examples)


@dataclass(frozen=True)
class Division:
    """What a task has under the same names, on the CPU; see `Task`."""

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
    splits = make_splits(
        given.labels.y,
        None if y_test is None else len(y_test),
        valid_fraction=valid_fraction,
        test_fraction=test_fraction,
        limit=limit,
        seed=seed,
        name=name,
    )
    examples = given.examples(splits.order())
    measured = range(min(len(splits.train), _MEASURED))
    chunks = (chunk.numpy() for chunk in examples.batches(measured, _MEASURED_AT_ONCE))
    mean, std = channel_statistics(chunks)
    return Division(
        given.labels.classes,
        examples,
        torch.from_numpy(given.labels.all[splits.order()]),
        splits.bounds(),
        torch.from_numpy(mean),
        torch.from_numpy(std),
        {
            "seed": seed,
            "valid_fraction": valid_fraction,
            "test_fraction": test_fraction if y_test is None else None,
            "limit": limit,
            "sha256": splits.sha256(),
        },
    )
