"""Whether what was written computes what the network computes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from nas.errors import NasError
from nas.export.verify import examples, first_line, flat_outputs, require_same


def test_examples_are_batches_of_several_and_of_one() -> None:
    assert [tuple(x.shape) for x in examples(nn.Linear(4, 2), (4,), "torch")] == [(3, 4), (1, 4)]
    [x, _] = examples(nn.Linear(4, 2).double(), (4,), "torch")
    assert x.dtype == torch.float64


def test_examples_for_tokens() -> None:
    [x, _] = examples(nn.Embedding(2, 3), (5,), "torch")
    assert x.dtype == torch.int64 and x.shape == (3, 5)


@pytest.mark.parametrize("shape", [(0,), (-1, 2), (2.5,)])
def test_shapes_that_are_none(shape: tuple[int, ...]) -> None:
    with pytest.raises(NasError, match="needs positive integers"):
        examples(nn.ReLU(), shape, "torch")


def test_a_network_that_fails_on_one_example() -> None:
    with pytest.raises(NasError, match="Expected more than 1 value per channel"):
        examples(nn.BatchNorm1d(4, track_running_stats=False), (4,), "torch")


def test_flat_outputs() -> None:
    a, b = torch.zeros(1), torch.ones(1)
    assert flat_outputs({"x": (a, [b]), "y": None}) == [a, b]


def require(run: object, tolerated: float = 0.0) -> None:
    net = nn.Identity()
    require_same(net, lambda x: run(x + tolerated), examples(net, (2,), "torch"), "torch")  # type: ignore[operator]


def test_deviations() -> None:
    require(lambda x: x, tolerated=1e-6)
    with pytest.raises(NasError, match=r"deviate by up to 0.001 .*allowed: 1e-05"):
        require(lambda x: x + 1e-3)
    with pytest.raises(NasError, match=r"outputs of shapes \[\(3, 1\)\]"):
        require(lambda x: x[:, :1])
    with pytest.raises(NasError, match="deviate"):
        require(lambda x: x * float("nan"))


def test_what_runs_for_one_batch_size_only() -> None:
    def run(x: Tensor) -> Tensor:
        if len(x) == 1:
            raise ValueError("batch of 3 expected\nand more")
        return x

    with pytest.raises(NasError, match=r"run on a batch of 1: ValueError: batch of 3 expected$"):
        require(run)


def test_first_line() -> None:
    assert first_line(ValueError("\n a\nb")) == "a"
    assert first_line(ValueError()) == "ValueError"
