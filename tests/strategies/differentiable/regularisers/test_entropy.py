"""The entropy of the gates."""

from __future__ import annotations

import math

import pytest
import torch

from nas.strategies.differentiable.regularisers.entropy import Entropy


def test_by_hand() -> None:
    logits = {"uniform": torch.zeros(4), "half": torch.tensor([0.0, math.log(3.0)])}
    half = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    assert Entropy().penalty(logits).item() == pytest.approx((math.log(4) + half) / 2)


def test_a_decision_costs_nothing() -> None:
    assert Entropy().penalty({"a": torch.tensor([100.0, 0.0, 0.0])}).item() == pytest.approx(0)


def test_its_gradient_pushes_towards_a_decision() -> None:
    logits = torch.tensor([1.0, 0.0], requires_grad=True)
    Entropy().penalty({"a": logits}).backward()
    assert logits.grad is not None
    assert logits.grad[0] < 0 < logits.grad[1]  # descent raises the stronger one
