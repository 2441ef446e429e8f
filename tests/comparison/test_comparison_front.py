"""Several objectives on one scale."""

from __future__ import annotations

import numpy as np
import pytest

from nas.benchmarks.benchmark import Benchmark
from nas.benchmarks.home import open_benchmark
from nas.comparison.facts import facts_of, objective_of
from nas.comparison.front import allowed, scale_of
from nas.errors import NasError
from nas.objective import Objective, parse_limits

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Benchmark:
    """Five architectures of which three are a front: the fourth is dominated, the fifth lacks one.

    The front is (accuracy .9, params 5), (.7, 3), (.5, 1).
    """
    opened = open_benchmark("made:toy")
    numbers = {
        "accuracy": np.array([0.9, 0.7, 0.5, 0.6, 0.99]),
        "params": np.array([5.0, 3.0, 1.0, 4.0, np.nan]),
    }
    monkeypatch.setattr(Benchmark, "values", lambda self, metric: numbers[metric])
    monkeypatch.setattr(type(opened.table), "__len__", lambda self: 5)
    return opened


BOTH = Objective("accuracy,-params")


def test_the_front_spans_the_scale(benchmark: Benchmark) -> None:
    scale = scale_of(benchmark, BOTH)
    assert scale.ideal.tolist() == [0.9, -1.0] and scale.nadir.tolist() == [0.5, -5.0]
    assert scale.scaled(np.array([[0.7, -3.0]]))[0].tolist() == pytest.approx([0.5, 0.5])
    # The ends of the front have the volume 0; the middle has a quarter.
    assert scale.optimum == pytest.approx(0.25)
    assert scale.volume(np.array([[0.8, -2.0]])) == pytest.approx(0.75 * 0.75)
    assert scale.volume(np.array([[0.4, -1.0], [0.9, -6.0]])) == 0


def test_limits_leave_out_what_breaks_them(benchmark: Benchmark) -> None:
    under = Objective("accuracy,-params", parse_limits("params<=4"))
    assert allowed(benchmark, BOTH).tolist() == [True, True, True, True, False]
    assert allowed(benchmark, under).tolist() == [False, True, True, True, False]
    scale = scale_of(benchmark, under)
    assert scale.ideal.tolist() == [0.7, -1.0] and scale.nadir.tolist() == [0.5, -3.0]
    nothing = Objective("accuracy", parse_limits("params<1"))
    with pytest.raises(NasError, match=r"no architecture of made:toy keeps the limits \(params<1"):
        allowed(benchmark, nothing)


def test_a_front_of_one_is_measured_by_the_worst(
    benchmark: Benchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = {"accuracy": np.array([0.9, 0.5, 0.6, 0.7, 0.8]), "params": np.arange(1.0, 6.0)}
    monkeypatch.setattr(Benchmark, "values", lambda self, metric: numbers[metric])
    scale = scale_of(benchmark, BOTH)
    assert scale.nadir.tolist() == [0.5, -5.0] and scale.optimum == pytest.approx(1)
    numbers["params"] = np.ones(5)
    with pytest.raises(NasError, match="'-params': all architectures of made:toy have the same"):
        scale_of(benchmark, BOTH)


def test_facts_of_several_objectives() -> None:
    benchmark = open_benchmark("made:toy")
    objective = objective_of(benchmark, "accuracy,-params")
    facts = facts_of("made:toy", benchmark, objective)
    assert (facts.metric, facts.maximise, facts.reported) == ("hypervolume", True, ())
    assert facts.optimum == pytest.approx(scale_of(benchmark, objective).optimum)
    assert facts.worst == 0 and 0 < facts.typical < facts.optimum < 1
    assert "hypervolume of accuracy, -params" in facts.described[0]


def test_what_may_be_searched() -> None:
    benchmark = open_benchmark("made:toy")
    assert objective_of(benchmark, "-params").text == "-params"
    for text, limits, reason in [
        ("acuracy", "", "Did you mean 'accuracy'"),
        ("test_accuracy", "", "is reported of what is found"),
        ("accuracy", "parms<1", "Did you mean 'params'"),
        ("accuracy", "test_accuracy>0.5", "is reported of what is found"),
    ]:
        with pytest.raises(NasError, match=reason):
            objective_of(benchmark, text, parse_limits(limits))
