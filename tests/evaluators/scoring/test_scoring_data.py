"""The batches that candidates are scored on."""

from __future__ import annotations

import pytest
import torch

from nas.evaluators.scoring.data import Data
from nas.evaluators.supernet import SupernetSettings
from nas.task import Task


def data_of(task: Task, **settings: object) -> Data:
    return Data(task, "valid", SupernetSettings(**settings))  # type: ignore[arg-type]


def sizes(batches: object) -> list[int]:
    return [len(y) for _, y in batches]  # type: ignore[attr-defined]


def test_calibration_takes_as_many_examples_as_asked(tiny_task: Task) -> None:
    for calibration, expected in ((1, [8]), (9, [8, 8]), (1000, [8, 8, 4])):
        data = data_of(tiny_task, batch_size=8, calibration=calibration)
        assert sizes(data.calibration()) == expected


def test_a_batch_of_one_example_is_left_out_where_it_is_normalised(tiny_task: Task) -> None:
    data = data_of(tiny_task, batch_size=19)
    assert (sizes(data.calibration()), sizes(data.scored())) == ([19], [19, 1])
    assert sizes(data_of(tiny_task, batch_size=19, batch_norm="batch").scored()) == [19]


@pytest.mark.parametrize(
    ("most", "expected"), [(1000, [20]), (19, [10, 10]), (8, [7, 7, 6]), (1, [1] * 20)]
)
def test_pieces_are_equal(tiny_task: Task, most: int, expected: list[int]) -> None:
    pieces = list(data_of(tiny_task).pieces(most))
    assert sizes(pieces) == expected
    whole = next(iter(tiny_task.batches("valid", 20)))
    assert torch.equal(torch.cat([x for x, _ in pieces]), whole[0])


@pytest.mark.parametrize(("examples", "kept"), [(0, 0), (20, 1), (40, 2), (1000, 2)])
def test_batches_are_kept_as_far_as_they_fit(tiny_task: Task, examples: int, kept: int) -> None:
    data = data_of(tiny_task, batch_size=10, calibration=20)
    expected = [list(data.calibration()), list(data.scored())]
    data.keep(examples * 3 * 8 * 8 * 4)
    found = [data.calibration(), data.scored()]
    assert sum(isinstance(batches, list) for batches in found) == kept
    for batches, others in zip(found, expected, strict=True):
        for (x, y), (other_x, other_y) in zip(batches, others, strict=True):
            assert torch.equal(x, other_x) and torch.equal(y, other_y)
