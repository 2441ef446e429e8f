"""Generalised advantages."""

from __future__ import annotations

import pytest
import torch

from nas.strategies.controller.advantages import advantages

REWARDS = torch.tensor([1.0, 2.0], dtype=torch.float64)
VALUES = torch.tensor([[0.5, 0.25, 0.125], [1.0, 7.0, 3.0]], dtype=torch.float64)
ACTIVE = torch.tensor([[True, True, True], [True, False, True]])


def test_lambda_1_is_the_reward_less_the_value() -> None:
    found = advantages(REWARDS, VALUES, ACTIVE, 1.0)
    assert found.tolist() == [[0.5, 0.75, 0.875], [1.0, 0.0, -1.0]]


def test_lambda_0_is_the_next_value_less_the_value() -> None:
    """Inactive decisions are passed over; after the last comes the reward."""
    found = advantages(REWARDS, VALUES, ACTIVE, 0.0)
    assert found.tolist() == [[-0.25, -0.125, 0.875], [2.0, 0.0, -1.0]]


def test_in_between_differences_decay() -> None:
    first = advantages(REWARDS, VALUES, ACTIVE, 0.5)[0]
    assert first.tolist() == pytest.approx([-0.25 + 0.5 * -0.125 + 0.25 * 0.875, 0.3125, 0.875])
