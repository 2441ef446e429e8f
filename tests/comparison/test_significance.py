"""Tests of differences between strategies."""

from __future__ import annotations

import numpy as np
import pytest

from nas.comparison.significance import (
    critical_difference,
    friedman,
    holm,
    rank_sum_tests,
    signed_rank_tests,
)


def test_holm() -> None:
    """Example of Holm's method: 0.01 * 4, 0.02 * 3, 0.03 * 2, then never below the one before."""
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0] and holm([]) == []


def test_rank_sum_of_samples_that_do_not_overlap() -> None:
    """The smallest exact p-value of 4 and 4 is 2 / C(8, 4)."""
    samples = {"a": np.arange(4.0), "b": np.arange(4.0) + 10, "c": np.arange(4.0) + 0.5}
    ab, ac, bc = rank_sum_tests(samples)
    assert (ab.a, ab.b, ab.p) == ("a", "b", pytest.approx(2 / 70))
    assert ab.superiority == 1 and bc.superiority == 0
    assert ac.superiority == pytest.approx(10 / 16) and ac.p > 0.3
    assert ab.corrected == pytest.approx(3 * 2 / 70)


def test_equal_samples_do_not_differ() -> None:
    same = {"a": np.zeros(5), "b": np.zeros(5)}
    [pair] = rank_sum_tests(same)
    assert (pair.p, pair.superiority) == (1.0, 0.5)
    [pair] = signed_rank_tests({name: dict(enumerate(x.tolist())) for name, x in same.items()})
    assert (pair.p, pair.superiority) == (1.0, 0.5)


def test_signed_rank_of_one_sign() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=6)
    b = a + rng.uniform(1, 2, 6)
    [pair] = signed_rank_tests({"a": dict(enumerate(a)), "b": dict(enumerate(b))})
    assert pair.p == pytest.approx(2 / 2**6) and pair.superiority == 1


def test_pairs_are_of_the_cases_that_both_have() -> None:
    """Whatever their order, and without those that one of them lacks."""
    a = {n: float(n) for n in range(8)}
    b = {n: n + 0.5 for n in (9, 7, 5, 3, 1, 0, 2)}
    [pair] = signed_rank_tests({"a": a, "b": b})
    assert pair.superiority == 1 and pair.p == pytest.approx(2 / 2**6)
    [pair] = signed_rank_tests({"a": {1: 0.5}, "b": {2: 0.7}})
    assert (pair.p, pair.superiority) == (1.0, 0.5)


def test_friedman_and_critical_difference() -> None:
    ranks = np.tile([1.0, 2, 3], (6, 1))
    assert friedman(ranks) == pytest.approx(np.exp(-6), rel=1e-6)  # chi2 = 12, 2 degrees
    assert friedman(np.full((4, 3), 2.0)) == 1.0
    # Demsar 2006, sec. 3.2.2 and table 5a: 2.569 sqrt(4 * 5 / (6 * 14)) = 1.25
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)
