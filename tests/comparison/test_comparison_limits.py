"""Comparisons under limits."""

from __future__ import annotations

import numpy as np
import pytest

from nas.benchmarks.home import open_benchmark
from nas.comparison.facts import facts_of, objective_of
from nas.comparison.limits import require_constant, space_of
from nas.errors import NasError
from nas.objective import parse_limits

pytestmark = pytest.mark.usefixtures("home")


def test_no_strategy_proposes_what_breaks_a_limit_on_a_cost() -> None:
    benchmark = open_benchmark("made:toy")
    objective = objective_of(benchmark, "", parse_limits("params<1.05M"))
    space = space_of(benchmark, objective)
    drawn = space.sample(np.random.default_rng(0), 100)
    assert all(benchmark.measure(a).metrics["params"] < 1.05e6 for a in drawn)
    first = benchmark.table.architecture(0)  # of which there is no accuracy
    assert space.check(first) is not None
    assert space_of(benchmark, objective_of(benchmark)) is benchmark.space


def test_the_optimum_is_of_what_keeps_the_limits() -> None:
    """In this table accuracy is .5 + .4 good, and there are 1e6 + 1e5 good parameters."""
    benchmark = open_benchmark("made:toy")
    free, under = (
        facts_of("made:toy", benchmark, objective_of(benchmark, "", parse_limits(limits)))
        for limits in ("", "params<=1.05M")
    )
    assert (free.optimum, under.optimum) == pytest.approx((0.9, 0.7))
    assert under.reported_ranges[0][0] == pytest.approx(0.69)
    assert under.described[-1] == "limits: params<=1.05M" and under.typical < 0.7


def test_a_limit_on_what_differs_between_trainings_is_refused() -> None:
    limits = parse_limits("accuracy>0.6")
    made, noisy = open_benchmark("made:toy"), open_benchmark("noisy:toy")
    require_constant(made, objective_of(made, "-params", limits))
    with pytest.raises(NasError, match="'accuracy' of noisy:toy differs between trainings"):
        require_constant(noisy, objective_of(noisy, "-params", limits))
