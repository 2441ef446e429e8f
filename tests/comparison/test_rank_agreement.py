"""Rank correlations of scores."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from nas.comparison.agreement import agreement, top_precision

RNG = np.random.default_rng(0)


def test_statistics_are_the_known_ones() -> None:
    values = RNG.uniform(0.6, 0.9, 60)
    scores = values + RNG.normal(0, 0.05, 60)
    found = agreement(scores, values, share=True)
    assert found.spearman.value == pytest.approx(stats.spearmanr(scores, values).statistic)
    assert found.kendall.value == pytest.approx(stats.kendalltau(scores, values).statistic)
    assert (found.k, found.n) == (6, 60)
    for one in (found.spearman, found.kendall, found.top):
        assert one.low <= one.value <= one.high
    assert found.spearman.low < found.spearman.high < 1


def test_sparse_kendall_forgives_what_is_noise() -> None:
    """Values that differ by less than 0.1 % are ties; their order does not count."""
    values = np.array([0.5001, 0.5002, 0.5003, 0.6001, 0.6002, 0.7])
    scores = np.array([3.0, 2, 1, 5, 4, 6])
    found = agreement(scores, values, share=True)
    assert found.sparse is not None and found.sparse.value > found.kendall.value + 0.2
    assert agreement(scores, values, share=False).sparse is None


def test_top_precision() -> None:
    values = np.arange(10.0)
    assert top_precision(values, values, 3) == 1
    assert top_precision(-values, values, 3) == 0
    assert top_precision(np.array([0, 0, 0, 0, 0, 0, 0, 7, 0, 9.0]), values, 2) == 0.5


def test_a_constant_score_says_nothing() -> None:
    found = agreement(np.zeros(10), np.arange(10.0), share=False)
    assert np.isnan(found.spearman.value) and np.isnan(found.kendall.value)
