"""Rewards are scores in deviations from their mean."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nas.strategies.controller.rewards import RewardScale


def test_mean_and_deviation_are_those_of_all_scores() -> None:
    scores = np.random.default_rng(0).normal(5, 0.01, 50).tolist()
    scale = RewardScale()
    scale.add(scores[:20])
    scale.add(scores[20:])
    rewards = scale.rewards(scores, torch.float64).numpy()
    assert rewards == pytest.approx((np.array(scores) - np.mean(scores)) / np.std(scores))


def test_failures_are_as_bad_as_the_worst() -> None:
    scale = RewardScale()
    scale.add([1.0, -math.inf, 3.0, math.nan])
    assert scale.count == 2
    rewards = scale.rewards([-math.inf, 1.0, 3.0], torch.float64)
    assert rewards.tolist() == [-1, -1, 1]


def test_equal_scores_are_worth_nothing() -> None:
    scale = RewardScale()
    scale.add([2.0, 2.0])
    assert scale.rewards([2.0], torch.float64).tolist() == [0]


def test_the_state_is_all() -> None:
    first, second = RewardScale(), RewardScale()
    first.add([1.0, 2.0, 4.0])
    second.load_state_dict(first.state_dict())
    for scale in (first, second):
        scale.add([0.0])
    assert vars(first) == vars(second)
