"""What a search would return so far."""

from __future__ import annotations

import pytest

from nas.benchmarks.benchmark import Benchmark
from nas.benchmarks.home import open_benchmark
from nas.comparison.front import scale_of
from nas.comparison.incumbent import FoundFront, Incumbent
from nas.objective import Measurement, Objective, parse_limits
from nas.space import Architecture

pytestmark = pytest.mark.usefixtures("home")

LOW, HIGH = (Architecture("nas-bench-201", (n, 1, 2, 3, 4, 0)) for n in (1, 3))


@pytest.fixture
def benchmark() -> Benchmark:
    return open_benchmark("made:toy")


def told(accuracy: float, params: float = 1e6) -> Measurement:
    return Measurement({"accuracy": accuracy, "params": params})


def test_chosen_by_what_was_told_and_judged_by_means(benchmark: Benchmark) -> None:
    found = Incumbent(benchmark, Objective())
    assert found.quality is None and found.reported == {"test_accuracy": None}
    found.add(HIGH, Measurement(error="failed"))
    assert found.quality is None
    found.add(LOW, told(0.99))  # a lucky training
    found.add(HIGH, told(0.98))
    means = benchmark.measure(LOW).metrics
    assert found.quality == means["accuracy"] < benchmark.measure(HIGH).metrics["accuracy"]
    assert found.reported == {"test_accuracy": means["test_accuracy"]}
    found.add(HIGH, told(0.991))
    assert found.quality == benchmark.measure(HIGH).metrics["accuracy"]


def test_what_breaks_a_limit_is_never_the_best(benchmark: Benchmark) -> None:
    found = Incumbent(benchmark, Objective("accuracy", parse_limits("params<2M")))
    found.add(HIGH, told(0.9, 3e6))
    assert found.quality is None
    found.add(LOW, told(0.1))
    found.add(HIGH, told(0.9, 3e6))
    assert found.quality == benchmark.measure(LOW).metrics["accuracy"]


def test_a_front_grows_by_what_none_dominates(benchmark: Benchmark) -> None:
    objective = Objective("accuracy,-params")
    scale = scale_of(benchmark, objective)
    found = FoundFront(benchmark, objective, scale)
    found.add(LOW, Measurement(error="failed"))
    assert found.quality is None and found.reported == {}
    volumes = []
    for architecture in (LOW, HIGH):
        found.add(architecture, benchmark.measure(architecture))
        assert found.quality is not None
        volumes.append(found.quality)
    scores = [objective.scores(benchmark.measure(a)) for a in (LOW, HIGH)]
    import numpy as np

    assert volumes[0] == pytest.approx(scale.volume(np.array(scores[:1])))
    assert volumes[1] == pytest.approx(scale.volume(np.array(scores)))
    assert volumes[1] > volumes[0]
    found.add(LOW, told(0.0, 9e9))  # dominated, as it was told
    assert found.quality == volumes[1] and len(found.told) == 2
    limited = Objective("accuracy,-params", parse_limits("params<1"))
    under = FoundFront(benchmark, limited, scale)
    under.add(LOW, benchmark.measure(LOW))
    assert under.quality is None
