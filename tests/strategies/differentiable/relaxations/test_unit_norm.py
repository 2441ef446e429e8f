"""Gates on the unit sphere."""

from __future__ import annotations

import torch

from nas.strategies.differentiable.relaxations.unit_norm import UnitNorm


def test_weights_have_unit_length_and_may_be_negative() -> None:
    weights = UnitNorm().weights(torch.tensor([[2.0, 3.0, -1.0], [-2.0, -1.0, -1.0]]), 1.0)
    assert torch.allclose(weights, torch.tensor([[0.6, 0.8, 0.0], [-1.0, 0.0, 0.0]]))
    assert weights[0, 2] == 0  # what is not selected does not run


def test_all_weigh_the_same_at_first() -> None:
    assert torch.allclose(UnitNorm().weights(torch.zeros(4), 1.0), torch.full((4,), 0.5))


def test_the_strongest_is_the_largest() -> None:
    scores = UnitNorm().scores(torch.tensor([0.5, -9.0, 1.0]))
    assert int(scores.argmax()) == 2  # not the one that is far below zero


def test_gradient() -> None:
    logits = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a: UnitNorm().weights(a, 1.0), logits)
