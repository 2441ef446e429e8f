"""Shapes and kinds of tasks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nas.errors import NasError
from nas.task.graph import Graph
from nas.task.info import TaskInfo

INFOS = [
    TaskInfo((3, 8, 8), 10),
    TaskInfo((5,), 3, "table", (0, 3, 0, 1, 2)),
    TaskInfo((7,), 11, "tokens", vocabulary=11),
    TaskInfo((4, 6), 2, "sequence"),
    TaskInfo((6,), 3, "nodes", edge_features=2),
    TaskInfo((6,), 3, "graphs"),
]


@pytest.mark.parametrize("info", INFOS, ids=lambda info: info.kind)
def test_json_and_back(info: TaskInfo) -> None:
    assert TaskInfo.from_json(info.to_json()) == info


def test_images_are_written_as_ever() -> None:
    assert INFOS[0].to_json() == '{"input_shape": [3, 8, 8], "outputs": 10}'


@pytest.mark.parametrize("info", INFOS, ids=lambda info: info.kind)
def test_examples(info: TaskInfo) -> None:
    x, again = info.example(40), info.example(40, torch.Generator().manual_seed(0))
    assert len(x) == 40
    if isinstance(x, Graph):
        assert isinstance(again, Graph) and torch.equal(x.features, again.features)
        assert x.features.shape[1:] == info.input_shape
        assert (0 if x.edge_features is None else x.edge_features.shape[1]) == info.edge_features
        assert (x.index is None) == (info.kind == "graphs") == (x.batch is not None)
        return
    assert isinstance(again, Tensor) and torch.equal(x, again)
    assert x.shape == (40, *info.input_shape)
    assert (x.dtype == torch.int64) == (info.kind == "tokens")
    for column, count in enumerate(info.categories):
        if count:
            assert sorted(set(x[:, column].tolist())) == list(range(count))


def test_targets() -> None:
    for info in INFOS:
        y = info.target(30)
        assert y.shape == ((30, 7) if info.kind == "tokens" else (30,))
        assert y.min() >= 0 and y.max() < info.outputs


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "nodse"},
        {"kind": "nodes", "input_shape": (3, 8, 8)},
        {"kind": "sequence"},
        {"kind": "table", "categories": (0, 2)},
    ],
)
def test_what_does_not_fit_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(NasError):
        TaskInfo(**{"input_shape": (5,), "outputs": 3, **wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize("info", INFOS, ids=lambda info: info.kind)
def test_tokens_and_metrics(info: TaskInfo) -> None:
    assert info.tokens == {"tokens": 7, "sequence": 4}.get(info.kind, 0)
    assert info.metrics[:2] == ("accuracy", "loss")
    assert info.metrics[2:] == (("bits_per_byte",) if info.kind == "tokens" else ())


def test_info_round_trip() -> None:
    info = TaskInfo((3, 32, 32), 10)
    assert TaskInfo.from_json(info.to_json()) == info
    assert hash(info) == hash(TaskInfo((3, 32, 32), 10))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"input_shape": 3, "outputs": 2}',
        '{"input_shape": [3, 0], "outputs": 2}',
        '{"input_shape": [], "outputs": 2}',
        '{"input_shape": [3]}',
        '{"input_shape": ["3"], "outputs": 2}',
        '{"input_shape": [3], "outputs": true}',
    ],
)
def test_info_of_anything_else_is_refused(text: str) -> None:
    with pytest.raises(NasError, match="not the shapes of a task"):
        TaskInfo.from_json(text)
