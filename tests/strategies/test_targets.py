"""What a surrogate is fitted to."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nas.errors import NasError
from nas.strategies.ranks import normal_scores
from nas.strategies.targets import targets_of

SCORES = [0.9, 0.5, -math.inf, 0.99]


def test_ranks_are_normal_scores() -> None:
    assert np.array_equal(targets_of(SCORES, "ranks"), normal_scores(SCORES))


def test_values_are_kept_and_failures_are_the_worst() -> None:
    assert targets_of(SCORES, "values").tolist() == [0.9, 0.5, 0.5, 0.99]
    assert targets_of([-math.inf], "values").tolist() == [0.0]


def test_the_logarithm_of_the_error() -> None:
    assert targets_of(SCORES, "log") == pytest.approx(-np.log([0.1, 0.5, 0.5, 0.01]))
    assert targets_of([-0.25, -2.0], "log", sign=-1) == pytest.approx(-np.log([0.25, 2.0]))
    assert np.isfinite(targets_of([1.0, 0.0], "log")).all()


def test_what_is_no_error_has_no_logarithm() -> None:
    with pytest.raises(NasError, match=r"strategy.targets=log: an error of -1.5 has no logarithm"):
        targets_of([2.5, 0.3], "log")
    with pytest.raises(NasError, match="take ranks or values"):
        targets_of([3.0], "log", sign=-1)
