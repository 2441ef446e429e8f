"""Scores by their ranks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nas.strategies.ranks import normal_scores, number_worse, share_worse


def test_what_is_worse_counts_and_half_of_what_is_equal() -> None:
    results = [0.2, 0.5, 0.5, 0.9, -math.inf]
    assert number_worse(results, results).tolist() == [1.5, 3.0, 3.0, 4.5, 0.5]
    assert share_worse([0.9, -1.0, 7.0], results).tolist() == [0.9, 0.2, 1.0]
    assert share_worse([], []).tolist() == []


def test_failures_rank_with_the_worst() -> None:
    scores = normal_scores([0.1, -np.inf, 0.5, 0.3])
    assert scores[0] == scores[1] == scores.min()
    assert scores[2] == scores.max()
    assert normal_scores([-np.inf] * 3).tolist() == [0.0] * 3


def test_normal_scores_heed_order_only() -> None:
    values = np.random.default_rng(0).normal(size=50)
    np.testing.assert_allclose(
        normal_scores(values.tolist()), normal_scores(np.exp(values).tolist())
    )
    assert normal_scores(values.tolist()).std() == pytest.approx(1, abs=0.1)
    tied = normal_scores([1.0, 1.0, 2.0])
    assert tied[0] == tied[1] < tied[2]
