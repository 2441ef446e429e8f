"""From labels and examples to what a task is made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nas.errors import NasError
from nas.task.arrays import check_arrays
from nas.task.dataset import open_datasets
from nas.task.division import Division, divide, given_arrays, given_datasets

X = np.random.default_rng(0).integers(0, 256, (40, 6, 5, 3), np.uint8)
Y = np.arange(40) % 4
SETTINGS: dict[str, Any] = {
    "valid_fraction": 0.25,
    "test_fraction": 0.2,
    "limit": None,
    "seed": 3,
    "name": "mine",
}


class Images(list[Any]):
    """Pairs of an image and a label, as a dataset."""

    def __init__(self, x: Any, y: Any) -> None:
        super().__init__(zip(x, y, strict=True))


def in_memory(**settings: Any) -> Division:
    arrays = check_arrays(X, Y, None, None, classes="abcd", layout="auto", name="mine")
    return divide(given_arrays(arrays, "mine"), **{**SETTINGS, **settings})


def streamed(**settings: Any) -> Division:
    datasets = open_datasets(Images(X, Y), None, "mine")
    given = given_datasets(datasets, 0, classes="abcd", layout="auto", name="mine")
    return divide(given, **{**SETTINGS, **settings})


def test_both_ways_give_the_same() -> None:
    one, two = in_memory(), streamed()
    for name in ("y", "mean", "std"):
        assert torch.equal(getattr(one, name), getattr(two, name))
    assert (one.bounds, one.origin, one.classes) == (two.bounds, two.origin, two.classes)
    rows = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    for a, b in zip(one.examples.batches(rows, 7), two.examples.batches(rows, 7), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("make", [in_memory, streamed])
def test_mean_and_deviation_are_of_the_first_training_examples(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = make()
    monkeypatch.setattr("nas.task.division._MEASURED", 10)
    monkeypatch.setattr("nas.task.division._MEASURED_AT_ONCE", 4)
    division = make()
    first = next(division.examples.batches(range(10), 10)).double()
    assert torch.allclose(division.mean.double(), first.mean((0, 2, 3)))
    assert torch.allclose(division.std.double(), first.std((0, 2, 3), correction=0))
    assert not torch.equal(division.mean, everything.mean)


def test_too_much_is_refused_in_memory_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.task.device.memory_size", lambda _: 2 * 30 * (90 + 8))
    with pytest.raises(NasError, match="mine: the examples take"):
        in_memory()
    assert len(in_memory(limit=22).y) == 30
    assert len(streamed().y) == 40
