"""The L1 norm of gates of unit length."""

from __future__ import annotations

import pytest
import torch

from nas.strategies.differentiable.regularisers.l1 import L1


def test_by_hand() -> None:
    logits = {"one": torch.tensor([4.0, -1.0]), "both": torch.tensor([2.0, -5.0])}
    assert L1().penalty(logits).item() == pytest.approx(1 + 0.6 + 0.8)


def test_its_gradient_drives_small_weights_to_zero() -> None:
    logits = torch.tensor([1.0, -0.9, -1.1], requires_grad=True)
    L1().penalty({"a": logits}).backward()
    assert logits.grad is not None
    assert logits.grad[1] > 0 > logits.grad[2]  # descent moves both towards -1, which is no weight
    assert abs(float(logits.grad[0])) < abs(float(logits.grad[1]))
