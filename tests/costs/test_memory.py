"""Estimates of peak memory: what is counted, what is extrapolated, what is left alone."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.costs.memory import Batch, MemoryEstimate, estimate_peak

KIB = 1024


class Net(nn.Module):
    """1 KiB of weights, batch norm and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(256))
        self.norm = nn.BatchNorm1d(256, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = nn.functional.dropout(self.norm(x * self.weight), training=self.training)
        return y


def examples(count: int = 4) -> Batch:
    return torch.rand(count, 256), torch.arange(count)


def bytes_of(net: nn.Module) -> int:
    return sum(tensor.nbytes for tensor in (*net.parameters(), *net.buffers()))


def estimated(*steps: Callable[[Batch], object], size: int = 100, **options: Any) -> MemoryEstimate:
    return estimate_peak(Net(), steps, examples(), size, **options)


# -- what is counted ------------------------------------------------------------------------------


def images(kib: int, batch: Batch) -> Tensor:
    """Return so many KiB an example."""
    return torch.empty(len(batch[0]), kib * 256)


def three(batch: Batch) -> None:
    """Hold 3 KiB an example at most: 1 + 2, then 1 after the 1 is gone."""
    first, second = images(1, batch), images(2, batch)
    del first
    third = images(1, batch)
    del second, third


def whatever_the_batch(batch: Batch) -> None:
    fixed = torch.empty(50 * 256)
    del batch, fixed


def either(batch: Batch) -> None:
    whatever_the_batch(batch)
    three(batch)


def views(batch: Batch) -> None:
    x = images(3, batch)
    parts = [x[:, :10], x.view(-1), x.t(), x.add_(1), x.detach()]
    del parts


@pytest.mark.parametrize(
    ("step", "small", "large"),
    [(three, 4 * 3, 100 * 3), (whatever_the_batch, 50, 50), (either, 50, 300), (views, 12, 300)],
)
def test_tensors_count_while_they_are_there(
    step: Callable[[Batch], object], small: int, large: int
) -> None:
    estimate = estimated(step)
    kept = bytes_of(Net()) + 2 * KIB  # weights and buffers, gradients, momentum
    batch = KIB + 8  # the examples themselves and their targets
    assert estimate.kept == kept
    assert estimate.at(4) == pytest.approx(kept + small * KIB + 4 * batch, rel=1e-3)
    assert estimate.total == pytest.approx(kept + large * KIB + 100 * batch, rel=1e-3)


def test_tensors_that_were_there_do_not_count() -> None:
    net = Net()
    constant = torch.ones(1000 * 256)

    def step(batch: Batch) -> None:
        del batch
        parts = [net.weight[:5], net.norm.running_mean, constant[:7], constant.mul_(1)]
        del parts

    estimate = estimate_peak(net, [step], examples(), 100)
    assert estimate.total < estimate.kept + 200 * KIB


def test_a_backward_pass_counts() -> None:
    net = Net()

    def forward(batch: Batch) -> Tensor:
        return net(batch[0]).square().sum()

    def step(batch: Batch) -> object:
        return torch.autograd.grad(forward(batch), [net.weight])

    without, whole = (estimate_peak(net, [s], examples(), 100) for s in (forward, step))
    assert whole.per_example > without.per_example >= 4 * KIB


def test_the_largest_of_several_steps_counts() -> None:
    def one(batch: Batch) -> object:
        return images(1, batch)

    assert estimated(one, three, one).total == estimated(three).total > estimated(one).total


def test_gradients_and_copies_of_weights_count() -> None:
    base = estimated(three, kept=0, passing=0)
    assert (base.weights, base.gradients, base.optimizer) == (bytes_of(Net()), KIB, 0)
    assert estimated(three, kept=3).total == base.total + 3 * KIB
    # Copies while weights are changed are there when the pass's tensors are gone.
    assert estimated(three, passing=20, size=2).total == base.kept + KIB + 20 * KIB


def test_frozen_weights_have_no_gradients() -> None:
    net = Net()
    net.weight.requires_grad_(False)
    assert estimate_peak(net, [three], examples(), 4).gradients == 0


def test_moments_that_cannot_be_told_apart() -> None:
    """A step that does something else with larger batches."""

    def step(batch: Batch) -> None:
        parts = [images(1, batch) for _ in range(len(batch[0]))]
        del parts

    estimate = estimated(step)
    assert estimate.at(4) == pytest.approx(estimate.kept + 20 * KIB, rel=0.01)
    assert estimate.at(2) == pytest.approx(estimate.kept + 6 * KIB, rel=0.02)


@pytest.mark.parametrize("count", [1, 3, 40])
def test_any_number_of_examples_will_do(count: int) -> None:
    sizes: list[int] = []

    def step(batch: Batch) -> None:
        sizes.append(len(batch[0]))
        assert len(batch[1]) == len(batch[0])

    estimate_peak(Net(), [step], examples(count), 8)
    assert sizes == [2, 4]


# -- what follows ---------------------------------------------------------------------------------


def test_the_largest_batch_that_fits() -> None:
    estimate = MemoryEstimate(8, 1000, 500, 500, ((5000.0, 10.0), (100.0, 300.5)))
    assert (estimate.kept, estimate.at(1), estimate.at(100)) == (2000, 7010, 32150)
    for memory in (7010, 8000, 9000, 50_000, 10**9):
        largest = estimate.largest_batch(memory)
        assert estimate.at(largest) <= memory < estimate.at(largest + 1)
    assert estimate.largest_batch(7009) == 0
    assert estimate.per_example == 10


def test_memory_that_does_not_depend_on_the_batch() -> None:
    estimate = MemoryEstimate(8, 10, 0, 0, ((5.0, 0.0),))
    assert estimate.largest_batch(14) == 0
    assert estimate.largest_batch(1000) > 8


# -- what is left alone ---------------------------------------------------------------------------


def state_of(net: nn.Module) -> dict[str, Any]:
    return {
        "state": {name: tensor.clone() for name, tensor in net.state_dict().items()},
        "gradients": [p.grad for p in net.parameters()],
        "modes": [part.training for part in net.modules()],
        "random": random.getstate(),
        "numpy": np.random.get_state()[1].tolist(),
        "torch": torch.get_rng_state().tolist(),
    }


@pytest.mark.parametrize("fails", [False, True])
def test_everything_is_as_it_was(fails: bool) -> None:
    net = Net()
    net.norm.eval()
    seen: list[bool] = []

    def step(batch: Batch) -> None:
        random.random()
        np.random.rand()
        torch.autograd.grad(net(batch[0]).sum(), [net.weight])
        seen.append(net.norm.training)
        if fails:
            raise ZeroDivisionError

    few, tensors = examples(), dict(net.named_buffers())
    before = state_of(net)
    try:
        estimate_peak(net, [step], few, 4)
    except ZeroDivisionError:
        assert fails
    after = state_of(net)
    for name, value in before.pop("state").items():
        assert torch.equal(after["state"][name], value), name
    assert all(tensors[name] is buffer for name, buffer in net.named_buffers())
    for name, value in before.items():
        assert after[name] == value, name
    assert seen and all(seen)


def test_sizes_see_the_same_random_numbers() -> None:
    """So that a step which draws paths draws the same for both sizes."""
    drawn: list[float] = []
    estimated(*[lambda batch: drawn.append(torch.rand(()).item())] * 2)
    assert drawn[0] == drawn[1] != drawn[2] == drawn[3]
