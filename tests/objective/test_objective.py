"""Measurements, and which is better."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from nas.errors import NasError
from nas.objective import (
    BROKEN,
    Limit,
    Measurement,
    Objective,
    non_dominated_sort,
    parse_limits,
)


def test_a_metric_is_maximised_or_with_a_minus_minimised() -> None:
    up, down = Objective("accuracy"), Objective("-loss")
    assert (up.metric, up.direction) == ("accuracy", "maximize")
    assert (down.metric, down.direction) == ("loss", "minimize")


def test_the_default_is_accuracy() -> None:
    assert Objective().text == "accuracy"


def test_scores_are_larger_for_the_better() -> None:
    good, bad = (
        Measurement({"accuracy": 0.9, "loss": 0.1}),
        Measurement({"accuracy": 0.5, "loss": 2}),
    )
    for text in ("accuracy", "-loss"):
        objective = Objective(text)
        assert objective.score(good) > objective.score(bad)
    assert Objective("-loss").value(good) == 0.1


def test_a_failure_is_worse_than_anything() -> None:
    failed = Measurement(error="no")
    assert Objective("-loss").score(failed) == -math.inf
    assert Objective("-loss").score(Measurement({"loss": 1e300})) > -math.inf


def test_a_metric_that_is_not_measured_names_those_that_are() -> None:
    with pytest.raises(NasError, match="'latency' is not measured; measured is accuracy, loss"):
        Objective("-latency").score(Measurement({"accuracy": 1.0, "loss": 0.0}))
    with pytest.raises(NasError, match="measured is nothing"):
        Objective().value(Measurement())


@pytest.mark.parametrize("text", ["", "-"])
def test_an_objective_needs_a_metric(text: str) -> None:
    with pytest.raises(NasError, match="expected a metric such as accuracy or -loss"):
        Objective(text)


def test_measurements_as_plain_values() -> None:
    good = Measurement({"accuracy": 0.5}, 2.0)
    assert good.ok
    assert json.loads(json.dumps(good.to_json())) == {
        "status": "ok",
        "metrics": {"accuracy": 0.5},
        "seconds": 2.0,
    }
    failed = Measurement(seconds=1.0, error="RuntimeError: no")
    assert not failed.ok
    assert failed.to_json() == {
        "status": "failed",
        "metrics": {},
        "seconds": 1.0,
        "error": "RuntimeError: no",
    }


# -- several metrics, limits ----------------------------------------------------------------------


def test_several_metrics() -> None:
    objective = Objective("accuracy,-latency")
    assert [(g.metric, g.direction) for g in objective.goals] == [
        ("accuracy", "maximize"),
        ("latency", "minimize"),
    ]
    measurement = Measurement({"accuracy": 0.9, "latency": 3.0})
    assert objective.scores(measurement) == (0.9, -3.0)
    assert objective.score(measurement) == 0.9  # of the first
    assert objective.scores(Measurement(error="no")) == (-math.inf, -math.inf)
    with pytest.raises(NasError, match="the same metric twice"):
        Objective("loss,-loss")


@pytest.mark.parametrize(
    ("text", "metric", "relation", "bound"),
    [
        ("params<1M", "params", "<", 1e6),
        ("flops <= 600m", "flops", "<=", 6e8),
        ("test_accuracy>=0.9", "test_accuracy", ">=", 0.9),
        ("cifar10/test_accuracy@200>.5", "cifar10/test_accuracy@200", ">", 0.5),
        ("loss<1e-3", "loss", "<", 1e-3),
        ("flops<1.5G", "flops", "<", 1.5e9),
    ],
)
def test_limits_are_read(text: str, metric: str, relation: str, bound: float) -> None:
    limit = Limit.parse(text)
    assert (limit.metric, limit.relation, limit.bound) == (metric, relation, bound)
    assert Limit.parse(str(limit)) == limit


@pytest.mark.parametrize(
    "text", ["params", "params<", "<1M", "params<1X", "params=1", "a<b", "a<1.2.3"]
)
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(NasError, match=r"expected METRIC<NUMBER \(or <=, >, >=\)"):
        Limit.parse(text)


def test_limits_are_kept_at_their_bounds_or_not() -> None:
    below, at_most, above, at_least = (Limit.parse(f"x{sign}2") for sign in ("<", "<=", ">", ">="))
    assert [limit.allows(2.0) for limit in (below, at_most, above, at_least)] == [
        False, True, False, True,
    ]  # fmt: skip
    assert below.allows(1.9) and above.allows(2.1)
    assert not any(limit.allows(math.nan) for limit in (below, at_most, above, at_least))


def test_a_broken_limit_is_worse_than_anything_that_keeps_it() -> None:
    objective = Objective("accuracy", parse_limits("params<1M, loss<2"))
    small = Measurement({"accuracy": 0.1, "params": 1e5, "loss": 1.0})
    large = Measurement({"accuracy": 0.9, "params": 2e6, "loss": 1.0})
    assert objective.allows(small) and not objective.allows(large)
    assert objective.score(small) == 0.1
    assert -math.inf < objective.score(large) < BROKEN < objective.score(small)
    assert objective.limits[0].refusal(large.metrics) == "params is 2M, not params<1M"
    with pytest.raises(NasError, match="'params' is not measured; measured is accuracy"):
        objective.score(Measurement({"accuracy": 0.5}))


def test_what_breaks_limits_is_ordered_by_how_much() -> None:
    objective = Objective("accuracy,-params", parse_limits("params<1M, loss<=2"))
    slightly = Measurement({"accuracy": 0.1, "params": 1.1e6, "loss": 1.0})
    much = Measurement({"accuracy": 0.9, "params": 3e6, "loss": 4.0})
    assert objective.excesses(slightly) == pytest.approx((0.1, -0.5))
    assert objective.excesses(much) == pytest.approx((2.0, 1.0))
    assert objective.violation(much) == pytest.approx(3.0)
    assert objective.score(slightly) > objective.score(much) > -math.inf
    assert all(
        a > b for a, b in zip(objective.scores(slightly), objective.scores(much), strict=True)
    )
    failure = Measurement(error="it broke")
    assert objective.violation(failure) == math.inf and objective.score(failure) == -math.inf


def test_a_limit_that_is_missed_by_nothing_is_broken() -> None:
    at = Measurement({"accuracy": 0.5, "params": 1e6})
    assert Objective("accuracy", parse_limits("params<1M")).violation(at) > 0
    assert Objective("accuracy", parse_limits("params<=1M")).violation(at) == 0


def test_what_is_no_number_keeps_no_limit() -> None:
    objective = Objective("accuracy", parse_limits("latency<5,accuracy>.1"))
    broken = Measurement({"accuracy": 0.5, "latency": math.nan})
    assert not objective.allows(broken)
    assert objective.violation(broken) == math.inf and objective.score(broken) == -math.inf


def test_what_broke_a_limit_need_not_be_measured_further() -> None:
    objective = Objective("accuracy", parse_limits("latency<5,load<2"))
    stopped = Measurement({"latency": 10.0})
    assert objective.excesses(stopped) == pytest.approx((1.0, math.nan), nan_ok=True)
    assert objective.violation(stopped) == pytest.approx(1.0)
    assert objective.score(stopped) == pytest.approx(2 * BROKEN)
    with pytest.raises(NasError, match="'load' is not measured"):
        objective.score(Measurement({"latency": 4.0, "accuracy": 0.9}))


def test_feasible_rows_dominate_and_less_violation_dominates_more() -> None:
    objective = Objective("accuracy,-latency", parse_limits("latency<5"))
    found = [(0.9, 9.0), (0.95, 12.0), (0.5, 4.0), (0.6, 4.5)]
    rows = [objective.scores(Measurement({"accuracy": a, "latency": t})) for a, t in found]
    assert non_dominated_sort(np.array(rows)).tolist() == [1, 2, 0, 0]
