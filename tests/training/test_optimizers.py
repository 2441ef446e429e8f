"""The optimisers of weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nas.training.optimizers import OPTIMIZERS, kept_tensors, make_optimizer


def stepped(name: str, momentum: float, steps: int = 2) -> tuple[nn.Parameter, int]:
    """Take steps on a constant gradient of (1, -4); return the weight, and what is kept of it."""
    weight = nn.Parameter(torch.zeros(2))
    optimizer = make_optimizer(name, [weight], 0.1, momentum, 0.0)
    for _ in range(steps):
        weight.grad = torch.tensor([1.0, -4.0])
        optimizer.step()
    kept = [value for value in optimizer.state[weight].values() if isinstance(value, torch.Tensor)]
    return weight, sum(value.shape == weight.shape for value in kept)


def test_sgd_goes_along_the_gradient() -> None:
    assert torch.allclose(stepped("sgd", 0.5)[0], torch.tensor([-0.25, 1.0]))


def test_adam_goes_as_far_for_every_gradient() -> None:
    assert torch.allclose(stepped("adam", 0.5)[0], torch.tensor([-0.2, 0.2]))


def test_weight_decay() -> None:
    for name in OPTIMIZERS:
        weight = nn.Parameter(torch.ones(1))
        weight.grad = torch.zeros(1)
        make_optimizer(name, [weight], 0.1, 0.9, 0.5).step()
        assert weight < 1, name


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_what_is_kept_of_a_weight(name: str, momentum: float) -> None:
    assert stepped(name, momentum)[1] == kept_tensors(name, momentum)
