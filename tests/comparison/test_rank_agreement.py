"""Rank correlations of scores, alone and against a baseline."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from nas.comparison.agreement import Agreement, agreements

RNG = np.random.default_rng(0)


def agreement(scores: NDArray[np.float64], values: NDArray[np.float64], share: bool) -> Agreement:
    return agreements({"one": scores}, values, share)["one"]


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
    assert found.versus is None


def test_sparse_kendall_forgives_what_is_noise() -> None:
    """Values that differ by less than 0.1 % are ties; their order does not count."""
    values = np.array([0.5001, 0.5002, 0.5003, 0.6001, 0.6002, 0.7])
    scores = np.array([3.0, 2, 1, 5, 4, 6])
    found = agreement(scores, values, share=True)
    assert found.sparse is not None and found.sparse.value > found.kendall.value + 0.2
    assert agreement(scores, values, share=False).sparse is None


def test_a_constant_score_says_nothing() -> None:
    found = agreement(np.zeros(10), np.arange(10.0), share=False)
    assert np.isnan(found.spearman.value) and np.isnan(found.kendall.value)


def test_what_could_not_be_judged_ranks_last() -> None:
    """Who refuses the worst has said something true; who refuses the best is wrong."""
    values = np.arange(40.0)
    wise, foolish = values.copy(), values.copy()
    wise[:5], foolish[-5:] = np.nan, np.nan
    last = np.where(np.isnan(foolish), -1.0, foolish)
    found = agreements({"wise": wise, "foolish": foolish}, values, share=False)
    assert found["wise"].n == found["foolish"].n == 40
    assert 0.99 < found["wise"].spearman.value < 1
    assert found["foolish"].spearman.value == pytest.approx(stats.spearmanr(last, values).statistic)
    assert found["foolish"].kendall.value == pytest.approx(stats.kendalltau(last, values).statistic)
    assert (found["wise"].top.value, found["foolish"].top.value) == (1, 0)


def test_differences_are_paired() -> None:
    """Two scores that err together: each is uncertain, which is better is not."""
    values = RNG.normal(0, 1, 150)
    common = values + RNG.normal(0, 1.5, 150)
    better, baseline = common, common + RNG.normal(0, 0.3, 150)
    found = agreements({"better": better, "base": baseline}, values, False, baseline="base")
    assert found["base"].versus is None
    versus = found["better"].versus
    assert versus is not None
    one, other = found["better"].spearman, found["base"].spearman
    assert versus.spearman.value == pytest.approx(one.value - other.value)
    assert versus.spearman.low < versus.spearman.value < versus.spearman.high
    assert versus.spearman.high - versus.spearman.low < 0.5 * (one.high - one.low)
    taus = found["better"].kendall.value - found["base"].kendall.value
    assert versus.kendall.value == pytest.approx(taus)
    same = agreements({"same": baseline, "base": baseline}, values, False, baseline="base")["same"]
    assert same.versus is not None
    assert (same.versus.spearman.low, same.versus.spearman.high) == (0, 0)


def test_an_interval_covers_as_often_as_it_says() -> None:
    """Of the differences between two equally noisy scores 95 % of the intervals hold 0."""
    covered = 0
    for _ in range(200):
        values = RNG.normal(0, 1, 60)
        scores = {name: values + RNG.normal(0, 1, 60) for name in ("one", "base")}
        versus = agreements(scores, values, False, baseline="base")["one"].versus
        assert versus is not None
        covered += versus.spearman.low <= 0 <= versus.spearman.high
    assert 180 <= covered <= 199
