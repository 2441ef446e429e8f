"""Some candidates are measured, the others predicted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas import registry
from nas.errors import NasError
from nas.evaluators.evaluator import Context, Evaluator
from nas.evaluators.predictor import PredictorEvaluator, PredictorSettings
from nas.objective import Measurement
from nas.predictors import PREDICTORS
from nas.predictors.predictor import Array, EncodingPredictor
from nas.registry import Entry
from nas.search_spaces.nas_bench_201 import OPERATIONS, NASBench201
from nas.space import Architecture
from nas.storage.checkpoint import load_checkpoint, save_checkpoint
from nas.task import Task

SPACE = NASBench201()
ARCHITECTURES = list(dict.fromkeys(SPACE.sample(np.random.default_rng(0), 60)))
GOOD = OPERATIONS.index("nor_conv_3x3")
BEST, WORST = (SPACE.from_array(np.full((1, 6), option))[0] for option in (GOOD, 0))


class Truth(Evaluator):
    """Rates an architecture by its operations, at once; remembers whom it was asked for."""

    metrics = ("accuracy", "loss")
    asked: list[Architecture]
    observed: list[Measurement]

    def __init__(self, context: Context, settings: Any = None) -> None:
        super().__init__(context, settings)
        self.asked, self.observed = [], []

    def evaluate(self, architecture: Architecture) -> dict[str, float]:
        self.asked.append(architecture)
        if architecture == WORST:
            raise RuntimeError("it is the worst")
        accuracy = 0.4 + 0.1 * architecture.choices.count(GOOD)
        loss = 1 - accuracy + 0.1 * architecture.choices.count(1)
        return {"accuracy": accuracy, "loss": loss}  # both sums over decisions

    def observe(self, architecture: Architecture, measurement: Measurement) -> None:
        self.observed.append(measurement)

    def state_dict(self) -> dict[str, Any]:
        return {"observed": len(self.observed)}

    def weights_of(self, architecture: Architecture) -> Any:
        return "weights"


class Linear(EncodingPredictor):
    """Least squares, which finds a sum over decisions exactly; deviations of 0.01."""

    def _fit(self, x: Array, y: Array) -> None:
        self._weights = np.linalg.lstsq(x, y, rcond=None)[0]

    def _predict(self, x: Array) -> tuple[Array, Array]:
        return x @ self._weights, np.full(len(x), 0.01)


@pytest.fixture(autouse=True)
def known_by_name(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let both be known by name."""
    monkeypatch.setitem(PREDICTORS, "linear", (__name__, "Linear"))
    entries = registry._entries["evaluators"]
    registry.names("evaluators")
    entries["truth"] = Entry("truth", Truth, "")
    yield
    del entries["truth"]


def make(task: Task, costs: tuple[str, ...] = (), **settings: Any) -> PredictorEvaluator:
    chosen = {"measured_by": "truth", "initial": 30, "measure_every": 0, "predictor": "linear"}
    context = Context(SPACE, task, network={"channels": 2, "cells": 1}, costs=costs)
    return PredictorEvaluator(context, PredictorSettings(**(chosen | settings)))


def judged(evaluator: PredictorEvaluator, architecture: Architecture) -> dict[str, float]:
    [measurement] = evaluator([architecture])
    evaluator.observe(architecture, measurement)
    return measurement.metrics


def started(task: Task, **settings: Any) -> PredictorEvaluator:
    evaluator = make(task, **settings)
    for architecture in ARCHITECTURES[: evaluator.settings.initial]:
        judged(evaluator, architecture)
    return evaluator


def test_the_first_are_measured(tiny_task: Task) -> None:
    evaluator = make(tiny_task, initial=4)
    found = [judged(evaluator, architecture) for architecture in ARCHITECTURES[:4]]
    assert [metrics["measured"] for metrics in found] == [1.0] * 4
    assert found[0].keys() == {"accuracy", "loss", "measured"}
    base: Any = evaluator.base
    assert base.asked == ARCHITECTURES[:4]


def test_later_ones_are_predicted(tiny_task: Task) -> None:
    evaluator = started(tiny_task)
    errors = []
    for architecture in ARCHITECTURES[30:]:
        metrics = judged(evaluator, architecture)
        if not metrics["measured"]:
            assert metrics.keys() == {"accuracy", "measured"}
            errors.append(metrics["accuracy"] - 0.4 - 0.1 * architecture.choices.count(GOOD))
    assert len(errors) > 20
    assert np.abs(errors).max() < 1e-6
    base: Any = evaluator.base
    assert len(base.asked) == len(ARCHITECTURES) - len(errors)


def test_what_is_predicted_to_be_best_is_measured(tiny_task: Task) -> None:
    evaluator = started(tiny_task)
    assert judged(evaluator, BEST)["measured"] == 1
    assert evaluator([ARCHITECTURES[40]])[0].metrics["measured"] == 0  # it is worse


@pytest.mark.parametrize("objective", ["accuracy", "-loss", "accuracy,-loss"])
def test_the_best_of_a_search_is_measured(tiny_task: Task, objective: str) -> None:
    evaluator = make(tiny_task, objective=objective)
    found = [judged(evaluator, a) for a in [*ARCHITECTURES, BEST]]
    measured = [m for m in found if m["measured"]]
    assert len(measured) < len(found)
    for goal in evaluator.objective.goals:
        assert max(goal.sign * m[goal.metric] for m in found) == max(
            goal.sign * m[goal.metric] for m in measured
        )


def test_several_metrics_measure_what_no_other_is_as_good_as(tiny_task: Task) -> None:
    """A trade-off that is worse in one metric alone is measured too."""
    evaluator = make(tiny_task, objective="accuracy,-loss")
    evaluator._known = {BEST: {"accuracy": 0.8, "loss": 0.5}}

    def beats(accuracy: float, loss: float) -> bool:
        prediction = Measurement({"accuracy": accuracy, "loss": loss})
        return evaluator._beats_all(WORST, prediction)

    assert beats(0.9, 0.4) and beats(0.9, 0.9) and beats(0.1, 0.4)
    assert not beats(0.8, 0.5) and not beats(0.8, 0.6) and not beats(0.7, 0.5)


def test_every_so_many_are_measured_anyway(tiny_task: Task) -> None:
    evaluator = started(tiny_task, measure_every=5)
    judged(evaluator, BEST)  # so that no other is predicted to be better
    measured = [bool(judged(evaluator, a)["measured"]) for a in ARCHITECTURES[31:45]]
    turns = [number % 5 == 0 for number in range(31, 45)]
    assert measured == turns


def test_optimism_measures_more(tiny_task: Task) -> None:
    """So much of it that every candidate might be the best."""
    evaluator = started(tiny_task, optimism=1e6)
    metrics = [evaluator([a])[0].metrics for a in ARCHITECTURES[40:45]]
    assert all(m["measured"] for m in metrics)


def test_failures_do_not_count_as_measured(tiny_task: Task) -> None:
    evaluator = make(tiny_task, initial=2)
    for architecture in (WORST, ARCHITECTURES[0], WORST):
        [measurement] = evaluator([architecture])
        evaluator.observe(architecture, measurement)
        assert measurement.ok == (architecture != WORST)
    assert measurement.error == "RuntimeError: it is the worst"
    assert evaluator([ARCHITECTURES[1]])[0].metrics["measured"] == 1


def test_the_other_evaluator_sees_its_own_results_only(tiny_task: Task) -> None:
    evaluator = started(tiny_task)
    for architecture in ARCHITECTURES[30:]:
        judged(evaluator, architecture)
    base: Any = evaluator.base
    assert len(base.observed) == len(base.asked) < len(ARCHITECTURES)
    assert all(m.metrics.keys() == {"accuracy", "loss"} for m in base.observed)


def test_costs_are_not_predicted(tiny_task: Task) -> None:
    evaluator = make(tiny_task, costs=("params",), objective="accuracy,-params", initial=6)
    found = [judged(evaluator, architecture) for architecture in ARCHITECTURES[:14]]
    assert {m["measured"] for m in found} == {0.0, 1.0}
    for architecture, metrics in zip(ARCHITECTURES, found, strict=False):
        [costs] = evaluator.costs([architecture])
        assert metrics["params"] == costs["params"]
        assert list(evaluator._predictors()) == ["accuracy"]


@pytest.mark.parametrize("at", [0, 3, 8, 20])
def test_a_restored_state_goes_on_the_same(tiny_task: Task, tmp_path: Path, at: int) -> None:
    settings = {"initial": 8, "measure_every": 4, "predictor": "linear"}
    first, second = make(tiny_task, **settings), make(tiny_task, **settings)
    for architecture in ARCHITECTURES[:at]:
        judged(first, architecture)
    save_checkpoint(tmp_path / "state.pt", first.state_dict())
    second.load_state_dict(load_checkpoint(tmp_path / "state.pt") or {})
    for architecture in ARCHITECTURES[at : at + 6]:
        assert judged(first, architecture) == judged(second, architecture)
    assert first.state_dict()["known"] == second.state_dict()["known"]


def test_what_is_evaluated_changes_nothing(tiny_task: Task) -> None:
    evaluator = started(tiny_task)
    first = [m.metrics for m in evaluator(ARCHITECTURES[40:50])]
    assert first[::-1] == [m.metrics for m in evaluator(ARCHITECTURES[40:50][::-1])]


def test_weights_are_the_other_evaluators(tiny_task: Task) -> None:
    evaluator = make(tiny_task)
    assert evaluator.weights_of(BEST) == "weights"
    evaluator.base.shares_weights = True
    assert evaluator.weights_of(BEST) is None
    assert evaluator.metrics == ("accuracy", "loss", "measured")


def test_settings_of_the_other_evaluator(tiny_task: Task) -> None:
    context = Context(SPACE, tiny_task)
    chosen = PredictorSettings(measured_by="train", measure={"epochs": 3})
    settings: Any = PredictorEvaluator(context, chosen).base.settings
    assert settings.epochs == 3 and settings.cutout == 0  # given, and its own default
    with pytest.raises(NasError, match=r"setting of evaluator\.measure 'epoch'\. Did you mean"):
        PredictorEvaluator(context, PredictorSettings(measured_by="train", measure={"epoch": 3}))
    with pytest.raises(NasError, match=r"unknown setting of evaluator\.measure 'epochs'"):
        make(tiny_task, measure={"epochs": 3})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"predictor": "tree"}, r"'tree'\. Did you mean 'trees'"),
        ({"measured_by": "trai"}, r"'trai'\. Did you mean 'train'"),
        ({"measured_by": "predictor"}, "expected an evaluator that measures"),
        ({"initial": 1}, r"evaluator\.initial=1: expected at least 2"),
        ({"measure_every": -1}, r"evaluator\.measure_every=-1: expected at least 0"),
        ({"optimism": -0.5}, r"evaluator\.optimism=-0\.5: expected at least 0"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(NasError, match=message):
        PredictorSettings(**settings)


def test_an_objective_that_is_not_measured_is_refused(tiny_task: Task) -> None:
    with pytest.raises(NasError, match=r"metric of evaluator\.objective 'acuracy'"):
        make(tiny_task, objective="acuracy")


# -- what is proposed again -----------------------------------------------------------------------


def test_what_was_predicted_once_is_judged_anew(tiny_task: Task) -> None:
    """Its first prediction would stand for ever, however good it is known to be by now."""
    evaluator = started(tiny_task, initial=4)
    again = ARCHITECTURES[50]
    before = judged(evaluator, again)
    for architecture in ARCHITECTURES[4:40]:
        evaluator.observe(architecture, evaluator.base([architecture])[0])
    after = judged(evaluator, again)
    truth = 0.4 + 0.1 * again.choices.count(GOOD)
    assert not evaluator.constant
    assert abs(after["accuracy"] - truth) < 1e-6 < abs(before["accuracy"] - truth)


def test_what_was_measured_is_not_measured_again(tiny_task: Task) -> None:
    evaluator = started(tiny_task, initial=30)
    base: Any = evaluator.base
    asked, observed = len(base.asked), len(base.observed)
    evaluator.settings.measure_every = 1
    first = judged(evaluator, ARCHITECTURES[0])
    assert (
        first["measured"] == 1
        and first["accuracy"] == judged(evaluator, ARCHITECTURES[0])["accuracy"]
    )
    assert (len(base.asked), len(base.observed)) == (asked, observed)


def test_it_is_measured_again_where_answers_change(
    tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Truth, "constant", False)
    evaluator = started(tiny_task, initial=4, measure_every=1)
    base: Any = evaluator.base
    judged(evaluator, ARCHITECTURES[0])
    assert base.asked.count(ARCHITECTURES[0]) == 2
    assert len(evaluator.state_dict()["known"]) == 4
