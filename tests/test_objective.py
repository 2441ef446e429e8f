"""Measurements, and which is better."""

from __future__ import annotations

import json
import math

import pytest

from nas.errors import NasError
from nas.objective import Measurement, Objective


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
