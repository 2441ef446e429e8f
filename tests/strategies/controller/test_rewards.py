"""Rewards are ranks among the last results."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nas.objective import BROKEN
from nas.strategies.controller.rewards import RewardScale


def scale(*scores: float) -> RewardScale:
    made = RewardScale()
    made.add(scores)
    return made


def test_rewards_have_mean_0_and_deviation_1() -> None:
    scores = np.random.default_rng(0).normal(5, 0.01, 200).tolist()
    rewards = scale(*scores).rewards(scores, torch.float64).numpy()
    assert rewards.mean() == pytest.approx(0)
    assert rewards.std() == pytest.approx(1, abs=0.01)
    assert np.argsort(rewards).tolist() == np.argsort(scores).tolist()


def test_equal_scores_are_worth_the_same() -> None:
    rewards = scale(2.0, 1.0, 2.0, 3.0).rewards([2.0, 1.0, 3.0], torch.float64)
    assert rewards / math.sqrt(12) == pytest.approx(torch.tensor([0.0, -0.375, 0.375]).numpy())
    assert scale(2.0, 2.0).rewards([2.0], torch.float64).tolist() == [0]


def test_one_outlier_does_not_move_the_others() -> None:
    mild, wild = (scale(0.5, 0.6, 0.7, bad).rewards([0.6, 0.7], torch.float64) for bad in (0, -1e9))
    assert torch.equal(mild, wild)


def test_failures_are_worst_results() -> None:
    made = scale(-math.inf, math.nan, 0.5, 0.6)
    failed, no_number, bad, _ = made.rewards([-math.inf, math.nan, 0.5, 0.6], torch.float64)
    assert failed == no_number < bad
    assert made.known()
    assert not scale(-math.inf, math.nan).known()


def test_what_is_long_ago_does_not_count() -> None:
    made = scale(*range(5000))
    assert len(made.scores) == 1000
    assert made.rewards([4500.0], torch.float64).item() == pytest.approx(0, abs=0.01)


def test_scores_themselves_are_rewards_where_they_are_asked_for() -> None:
    """What fails or breaks a limit is worth the worst that does not."""
    made = RewardScale("score")
    scores = [0.9, 0.2, -math.inf, 1.5 * BROKEN]
    made.add(scores)
    assert made.rewards(scores, torch.float64).tolist() == [0.9, 0.2, 0.2, 0.2]


def test_what_breaks_a_limit_more_is_worth_less() -> None:
    scores = [0.2, BROKEN * 1.1, BROKEN * 3, -math.inf]
    rewards = scale(*scores).rewards(scores, torch.float64).tolist()
    assert rewards == sorted(rewards, reverse=True) and len(set(rewards)) == 4
