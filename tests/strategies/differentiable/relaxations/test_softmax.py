"""The softmax relaxation."""

from __future__ import annotations

import pytest
import torch

from nas.strategies.differentiable.relaxations.softmax import Softmax

LOGITS = torch.tensor([1.0, 0.0, -2.0])


def test_weights_are_the_softmax() -> None:
    e = LOGITS.exp()
    assert torch.allclose(Softmax().weights(LOGITS, 1.0), e / e.sum())
    assert torch.allclose(Softmax().scores(LOGITS), e / e.sum())


def test_temperature() -> None:
    cold, hot = Softmax().weights(LOGITS, 0.01), Softmax().weights(LOGITS, 1e4)
    assert torch.allclose(cold, torch.tensor([1.0, 0.0, 0.0]))
    assert torch.allclose(hot, torch.full((3,), 1 / 3), atol=1e-3)
    assert torch.equal(Softmax().weights(LOGITS, 2.0), (LOGITS / 2).softmax(0))


def test_gradient() -> None:
    logits = LOGITS.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda a: Softmax().weights(a, 0.7), logits)


@pytest.mark.parametrize("size", [1, 2, 8])
def test_weights_sum_to_one(size: int) -> None:
    assert Softmax().weights(torch.randn(size), 0.5).sum().item() == pytest.approx(1)
