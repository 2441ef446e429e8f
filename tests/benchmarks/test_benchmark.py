"""What a benchmark measures."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nas.benchmarks.benchmark import Benchmark
from nas.benchmarks.columns import Problem
from nas.benchmarks.table import Table
from nas.errors import NasError

VALID, TEST = "cifar10/valid_accuracy@12", "cifar10/test_accuracy@50"


def benchmark(table: Table, problem: str = "cifar10", seed: int | None = None) -> Benchmark:
    return Benchmark(table, table.problems[problem], seed)


def test_a_measurement_has_short_names(table: Table) -> None:
    found = benchmark(table)
    measurement = found.measure(table.architecture(0))
    assert measurement.ok
    assert measurement.metrics == {
        "accuracy": pytest.approx(table.column(VALID)[0].mean(), abs=1e-6),
        "test_accuracy": pytest.approx(table.column(TEST)[0]),
        "params": table.column("params")[0],
    }
    assert measurement.seconds == pytest.approx(table.column("cifar10/train_seconds@12")[0])


def test_names(table: Table) -> None:
    found = benchmark(table)
    assert (found.name, found.metric, found.maximise) == ("tiny:cifar10", "accuracy", True)
    assert repr(found) == "Benchmark('tiny:cifar10')"
    other = benchmark(table, "loss")
    assert (other.name, other.metric, other.maximise) == ("tiny:loss", "loss", False)


def test_it_says_which_numbers_are_searched_and_reported(table: Table) -> None:
    assert benchmark(table).describe() == [
        "searched on: valid accuracy on cifar10, 12 epochs, mean of 3 seeds",
        "reported: test accuracy on cifar10, 50 epochs",
    ]
    assert benchmark(table, seed=2).describe()[0].endswith("seed 2")


def test_without_a_column_of_seconds_a_measurement_takes_none(table: Table) -> None:
    assert benchmark(table, "loss").measure(table.architecture(3)).seconds == 0


def test_an_architecture_that_is_absent_fails(table: Table) -> None:
    found = benchmark(table)
    absent = [a for a in found.space.sample(np.random.default_rng(1), 50) if table.row(a) < 0]
    measurement = found.measure(absent[0])
    assert not measurement.ok and not measurement.metrics
    assert "tiny does not have this architecture" in measurement.error


def test_a_number_that_is_missing_fails_what_is_searched_by_it(table: Table) -> None:
    """The second row has no validation accuracy, the third one only of two seeds."""
    second, third = table.architecture(1), table.architecture(2)
    assert (
        benchmark(table).measure(second).error
        == "tiny:cifar10 has no accuracy of this architecture"
    )
    assert benchmark(table, "loss").measure(second).ok
    accuracy = benchmark(table).measure(third).metrics["accuracy"]
    assert accuracy == pytest.approx(np.nanmean(table.column(VALID)[2]), abs=1e-6)
    assert not benchmark(table, seed=0).measure(third).ok
    assert benchmark(table, seed=1).measure(third).ok


def test_many_are_measured_as_one_is(table: Table) -> None:
    found = benchmark(table)
    some = [*found.space.sample(np.random.default_rng(0), 30), table.architecture(1)]
    assert found.measure_many(some) == [found.measure(a) for a in some]
    assert {m.ok for m in found.measure_many(some)} == {True, False}


def test_a_seed_is_one_training(table: Table) -> None:
    for seed in range(3):
        measurement = benchmark(table, seed=seed).measure(table.architecture(0))
        assert measurement.metrics["accuracy"] == pytest.approx(table.column(VALID)[0, seed])
    with pytest.raises(NasError, match=r"unknown seed of column .* Allowed: 0, 1, 2"):
        benchmark(table, seed=3)


def test_what_is_reported_is_the_mean_even_of_the_column_that_is_searched(table: Table) -> None:
    found = Benchmark(table, Problem("same", VALID, (VALID,)), seed=1)
    metrics = found.measure(table.architecture(0)).metrics
    assert metrics["accuracy"] == pytest.approx(table.column(VALID)[0, 1])
    assert metrics["valid_accuracy"] == pytest.approx(table.column(VALID)[0].mean(), abs=1e-6)


def test_the_optimum(table: Table) -> None:
    accuracies = benchmark(table).values("accuracy")
    assert math.isnan(accuracies[1])
    assert benchmark(table).optimum == np.nanmax(accuracies)
    losses = benchmark(table, "loss").values("loss")
    assert benchmark(table, "loss").optimum == losses.min()


def test_a_problem_of_other_columns_is_refused(table: Table) -> None:
    with pytest.raises(NasError, match="unknown column of tiny 'valid_accuracy'"):
        Benchmark(table, Problem("x", "valid_accuracy"))


def test_one_training_of_several(table: Table) -> None:
    found = benchmark(table)
    rows = np.flatnonzero(np.isfinite(table.column(VALID)).all(1))
    architecture = table.architecture(int(rows[0]))
    means = found.measure(architecture)
    for training in found.trainings(architecture):
        one = found.measure(architecture, training)
        expected = table.column(VALID)[rows[0], training]
        assert one.metrics == means.metrics | {"accuracy": pytest.approx(expected)}
        assert one.seconds == means.seconds  # of which the table has one number only
    assert found.trainings(architecture) == [*range(table.columns[VALID].seeds)]
    assert benchmark(table, seed=1).trainings(architecture) == [1]
