"""What every evaluator does: failures are measurements, and the order does not matter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from nas.evaluators.evaluator import Context, Evaluator
from nas.objective import Measurement, Objective, parse_limits
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import Architecture
from nas.task import Task

SPACE = NASBench201()
A, B = SPACE.sample(np.random.default_rng(0), 2)


class Scripted(Evaluator):
    """Does what its settings say."""

    def evaluate(self, architecture: Architecture) -> dict[str, float]:
        result = self.settings(architecture)
        assert isinstance(result, dict)
        return result


def scripted(task: Task, action: Any, seed: int = 0) -> Scripted:
    return Scripted(Context(SPACE, task, seed), action)


def fail(error: BaseException) -> Any:
    def action(architecture: Architecture) -> None:
        raise error

    return action


def test_metrics_are_passed_on(tiny_task: Task) -> None:
    [first, second] = scripted(tiny_task, lambda a: {"accuracy": float(a == A)})([A, B])
    assert (first.metrics, second.metrics) == ({"accuracy": 1.0}, {"accuracy": 0.0})
    assert first.ok and first.seconds >= 0


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("CUDA out of memory. Tried to allocate"), "RuntimeError: CUDA out of memory"),
        (torch.cuda.OutOfMemoryError("no memory"), "OutOfMemoryError: no memory"),
        (MemoryError(), "MemoryError"),
        (ValueError("first line\nsecond line"), "ValueError: first line"),
        (AssertionError(), "AssertionError"),
        (RecursionError("too deep"), "RecursionError: too deep"),
    ],
)
def test_an_error_is_a_failed_measurement(tiny_task: Task, error: Exception, reason: str) -> None:
    [measurement] = scripted(tiny_task, fail(error))([A])
    assert not measurement.ok
    assert measurement.metrics == {}
    assert measurement.error.startswith(reason)
    assert "\n" not in measurement.error
    assert json.loads(json.dumps(measurement.to_json()))["status"] == "failed"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_metric_that_is_not_finite_is_a_failure(tiny_task: Task, value: float) -> None:
    [measurement] = scripted(tiny_task, lambda a: {"accuracy": 0.5, "loss": value})([A])
    assert measurement.error == f"loss is {value}"
    assert measurement.metrics == {}


def test_an_interruption_is_not_a_measurement(tiny_task: Task) -> None:
    with pytest.raises(KeyboardInterrupt):
        scripted(tiny_task, fail(KeyboardInterrupt()))([A])


def test_a_failure_does_not_stop_the_others(tiny_task: Task) -> None:
    def action(architecture: Architecture) -> dict[str, float]:
        if architecture == A:
            raise RuntimeError("no")
        return {"accuracy": 1.0}

    assert [m.ok for m in scripted(tiny_task, action)([A, B, A])] == [False, True, False]


def test_random_numbers_follow_from_seed_and_architecture(tiny_task: Task) -> None:
    def draw(architecture: Architecture) -> dict[str, float]:
        return {"torch": torch.rand(()).item(), "numpy": float(np.random.random())}

    def measured(seed: int, architectures: list[Architecture]) -> list[Measurement]:
        return scripted(tiny_task, draw, seed)(architectures)

    [a, b] = measured(0, [A, B])
    [b_first, a_second] = measured(0, [B, A])
    [other] = measured(1, [A])
    assert a.metrics == a_second.metrics and b.metrics == b_first.metrics
    assert a.metrics != b.metrics and a.metrics != other.metrics


# -- many at once ---------------------------------------------------------------------------------


class Groups(Scripted):
    """Evaluates at once; fails as a whole where its settings are None."""

    at_once = 3  # type: ignore[assignment]

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.groups: list[int] = []

    def evaluate_many(
        self, architectures: Sequence[Architecture]
    ) -> list[dict[str, float] | Exception]:
        self.groups.append(len(architectures))
        if len(architectures) == 2:
            raise RuntimeError("two are too many")
        return super().evaluate_many(architectures)


def test_many_are_evaluated_in_groups(tiny_task: Task) -> None:
    evaluator = Groups(Context(SPACE, tiny_task), lambda a: {"accuracy": float(a == A)})
    measurements = evaluator([A, B, B, A])
    assert evaluator.groups == [3, 1]
    assert [m.metrics["accuracy"] for m in measurements] == [1.0, 0.0, 0.0, 1.0]
    assert measurements[0].seconds == measurements[1].seconds == measurements[2].seconds > 0


def test_one_that_fails_in_a_group_fails_alone(tiny_task: Task) -> None:
    def action(architecture: Architecture) -> dict[str, float]:
        if architecture == A:
            raise RuntimeError("no")
        return {"accuracy": 1.0}

    evaluator = Groups(Context(SPACE, tiny_task), action)
    assert [m.error for m in evaluator([B, A, B])] == ["", "RuntimeError: no", ""]


def test_a_group_that_fails_as_a_whole_is_evaluated_one_by_one(tiny_task: Task) -> None:
    evaluator = Groups(Context(SPACE, tiny_task), lambda a: {"accuracy": float(a == A)})
    assert [m.metrics["accuracy"] for m in evaluator([B, A])] == [0.0, 1.0]


def test_random_numbers_do_not_depend_on_the_group(tiny_task: Task) -> None:
    evaluator = Groups(Context(SPACE, tiny_task), lambda a: {"torch": torch.rand(()).item()})
    a, b, _ = (m.metrics for m in evaluator([A, B, B]))
    assert [m.metrics for m in evaluator([B])] == [b]
    assert [m.metrics for m in scripted(tiny_task, evaluator.settings)([A])] == [a]


def test_nothing_needs_preparation_and_no_weights_are_kept_by_default(tiny_task: Task) -> None:
    evaluator = scripted(tiny_task, lambda a: {})
    evaluator.prepare()
    assert evaluator.weights_of(A) is None
    assert Evaluator.defaults("small") == {}


# -- costs first ----------------------------------------------------------------------------------


def under_limit(task: Task, limit: str, action: Any) -> Scripted:
    objective = Objective("accuracy", parse_limits(limit))
    return Scripted(Context(SPACE, task, costs=("latency",), objective=objective), action)


def test_what_is_too_dear_is_not_evaluated(
    tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Latency has to be measured; training takes a thousand times as long."""
    milliseconds = {A: 9.0, B: 2.0}
    monkeypatch.setattr(Evaluator, "_costs", lambda self, a: {"latency": milliseconds[a]})
    trained: list[Architecture] = []

    def train(architecture: Architecture) -> dict[str, float]:
        trained.append(architecture)
        return {"accuracy": 0.5}

    [dear, cheap] = under_limit(tiny_task, "latency<5", train)([A, B])
    assert (dear.metrics, cheap.metrics) == ({"latency": 9.0}, {"latency": 2.0, "accuracy": 0.5})
    assert dear.ok and trained == [B]
    trained.clear()
    under_limit(tiny_task, "latency<50", train)([A, B])
    assert trained == [A, B]


def test_what_has_no_costs_is_a_failure_and_not_evaluated(
    tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    def costs(self: Evaluator, architecture: Architecture) -> dict[str, float]:
        if architecture == A:
            raise RuntimeError("no network")
        return {"latency": 2.0}

    monkeypatch.setattr(Evaluator, "_costs", costs)
    results = under_limit(tiny_task, "latency<5", lambda a: {"accuracy": 0.5})([A, B, A])
    assert [m.error for m in results] == [
        "RuntimeError: no network",
        "",
        "RuntimeError: no network",
    ]


def test_a_metric_that_only_training_tells_is_no_reason_not_to_train(
    tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Evaluator, "_costs", lambda self, a: {"latency": 2.0})
    evaluator = under_limit(tiny_task, "latency<5,accuracy>.9", lambda a: {"accuracy": 0.5})
    assert evaluator([A])[0].metrics == {"latency": 2.0, "accuracy": 0.5}
