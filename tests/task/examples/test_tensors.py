"""Examples in one tensor."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nas.errors import NasError
from nas.task.examples.tensors import HostExamples, TensorExamples

CPU, META = torch.device("cpu"), torch.device("meta")
X = torch.arange(60, dtype=torch.uint8).view(10, 2, 3)


@pytest.fixture(params=["tensor", "host"])
def examples(request: pytest.FixtureRequest) -> TensorExamples | HostExamples:
    return TensorExamples(X) if request.param == "tensor" else HostExamples(X, CPU)


@pytest.mark.parametrize("order", [range(2, 9), torch.tensor([7, 0, 0, 3, 9])])
@pytest.mark.parametrize("size", [1, 3, 100])
def test_batches(examples: TensorExamples | HostExamples, order: Tensor | range, size: int) -> None:
    found = list(examples.batches(order, size))
    rows = torch.tensor(order) if isinstance(order, range) else order
    assert torch.equal(torch.cat(found), X[rows])
    assert all(len(batch) == size for batch in found[:-1]) and len(found[-1]) <= size
    assert examples.shape == (2, 3)


def test_what_fits_a_device_moves_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.task.device.memory_size", lambda device: 2 * X.nbytes)
    moved = TensorExamples(X).to(META, "mine")
    assert isinstance(moved, TensorExamples) and moved.x.device == META
    assert isinstance(HostExamples(X, META).to(META, "mine"), TensorExamples)


def test_what_does_not_fit_stays_with_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.task.device.memory_size", lambda device: 2 * X.nbytes - 1)
    moved = TensorExamples(X).to(META, "mine")
    assert isinstance(moved, HostExamples) and moved.x is X
    assert [b.device for b in moved.batches(range(10), 4)] == [META] * 3
    back = moved.to(CPU, "mine")
    assert isinstance(back, TensorExamples) and back.x is X
    with pytest.raises(NasError, match=r"mine: the examples take .* device cpu"):
        TensorExamples(X.to(META)).to(CPU, "mine")
