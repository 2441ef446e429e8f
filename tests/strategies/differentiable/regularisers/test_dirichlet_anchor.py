"""The distance of Dirichlet distributions from the uniform one."""

from __future__ import annotations

import math

import pytest
import torch

from nas.strategies.differentiable.regularisers.dirichlet_anchor import DirichletAnchor


def test_by_hand() -> None:
    """|elu(a)|^2 summed over all gates: 2^2 + 0 + (1/e - 1)^2 + 0.5^2."""
    logits = {"a": torch.tensor([2.0, 0.0]), "b": torch.tensor([-1.0, 0.5])}
    expected = 4 + (1 / math.e - 1) ** 2 + 0.25
    assert DirichletAnchor().penalty(logits).item() == pytest.approx(expected, rel=1e-5)


def test_the_uniform_distribution_costs_nothing() -> None:
    logits = torch.zeros(5, requires_grad=True)
    penalty = DirichletAnchor().penalty({"a": logits})
    penalty.backward()
    assert penalty.item() == 0
    assert logits.grad is not None and not logits.grad.any()


def test_its_gradient_pulls_towards_it() -> None:
    logits = torch.tensor([1.0, -1.0], requires_grad=True)
    DirichletAnchor().penalty({"a": logits}).backward()
    assert logits.grad is not None
    assert logits.grad[0] > 0 > logits.grad[1]
