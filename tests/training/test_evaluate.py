"""Loss and accuracy over a split, and what may go wrong."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from nas.errors import NasError
from nas.task import Task
from nas.training.evaluate import READ_EVERY, Diverged, Meter, OutOfMemory, evaluate, memory_errors


def make_task(n: int = 200, **settings: Any) -> Task:
    rng = np.random.default_rng(0)
    return Task.from_arrays(rng.normal(size=(n, 4)), np.arange(n) % 3, **settings)


def make_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 3))


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
@pytest.mark.parametrize("split", ["train", "valid", "test", "train+valid"])
def test_exact_over_the_whole_split(split: str, batch_size: int) -> None:
    task, network = make_task(), make_network().eval()
    ((x, y),) = task.batches(split, 1000)
    logits = network(x)
    found = evaluate(network.train(), task, split, batch_size)
    assert found["loss"] == pytest.approx(functional.cross_entropy(logits, y).item(), rel=1e-5)
    assert found["accuracy"] == (logits.argmax(1) == y).sum().item() / len(y)


def test_the_network_stays_as_it_is() -> None:
    network = make_network().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    evaluate(network, make_task(), "test")
    assert network.training and network[1].training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(NasError, match=r"unknown split 'vaild'.*'valid'"):
        evaluate(make_network(), make_task(), "vaild")


def test_a_loss_that_is_not_finite_is_refused() -> None:
    network = make_network()
    with torch.no_grad():
        network[3].bias[0] = math.inf
    with pytest.raises(Diverged, match="loss became nan on 'valid', step 1;"):
        evaluate(network, make_task(), "valid")


# -- meter ----------------------------------------------------------------------------------------


def test_means_weigh_examples_and_steps_are_read_in_groups() -> None:
    meter = Meter(make_task(), "in epoch 1")
    assert meter.read() == {}
    logits = torch.eye(3)
    for step in range(READ_EVERY - 1):
        meter.add(torch.tensor(float(step)), logits, torch.tensor([0, 1, 0]))
    assert meter.means == {}  # not read yet
    meter.add(torch.tensor(100.0), logits[:1], torch.tensor([0]))
    losses = [*range(READ_EVERY - 1)]
    examples = 3 * len(losses) + 1
    assert meter.means["loss"] == pytest.approx((3 * sum(losses) + 100) / examples)
    assert meter.means["accuracy"] == (2 * len(losses) + 1) / examples
    assert meter.read() == meter.means


def test_the_first_bad_step_is_named() -> None:
    meter = Meter(make_task(), "in epoch 4")
    with pytest.raises(Diverged, match="loss became inf in epoch 4, step 20; lower"):
        for step in range(1, 33):
            loss = torch.tensor(math.inf if step >= 20 else 1.0)
            meter.add(loss, torch.eye(3), torch.arange(3))


def test_auxiliary_logits_do_not_count() -> None:
    meter = Meter(make_task(), "")
    meter.add(torch.tensor(1.0), (torch.eye(3), torch.ones(3, 3)), torch.arange(3))
    assert meter.read() == {"loss": 1.0, "accuracy": 1.0}


def test_nothing_of_the_graph_is_kept() -> None:
    meter = Meter(make_task(), "")
    x = torch.ones(2, 3, requires_grad=True)
    meter.add(x.sum(), x * 2, torch.zeros(2, dtype=torch.long))
    assert not any(t.requires_grad for t in meter._pending[0])


# -- memory ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("DefaultCPUAllocator: not enough memory"),
        MemoryError(),
    ],
    ids=["cuda", "mps", "linux", "windows", "python"],
)
def test_too_little_memory(error: Exception) -> None:
    with pytest.raises(OutOfMemory, match="batches of 32 examples"), memory_errors(32):
        raise error


def test_memory_that_really_does_not_suffice() -> None:
    with pytest.raises(OutOfMemory), memory_errors(32):
        torch.empty(2**60, dtype=torch.uint8)


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError, match="shapes") as raised, memory_errors(32):
        raise RuntimeError("shapes differ")
    assert not isinstance(raised.value, NasError)
