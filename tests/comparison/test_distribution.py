"""Distributions of error: the function, weights by complexity, the drawing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from nas.comparison.distribution import Distribution, draw_edf, edf, run_edf
from nas.errors import NasError
from nas.objective import Measurement
from nas.run import Run
from nas.search_spaces.nas_bench_201 import NASBench201

SPACE = NASBench201()
Make = Callable[..., Run]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make a run with given errors, and complexities."""

    def run(
        name: str, errors: Sequence[float | None], params: Sequence[float] = (), by: str = "random"
    ) -> Run:
        config = {"space": "nas-bench-201", "objective": "accuracy", "settings": {}, "task": {}}
        found = Run.create(tmp_path / name, config | {"data": "none", "strategy": by}, SPACE)
        sample = SPACE.sample(np.random.default_rng(0), len(errors))
        for number, (a, error) in enumerate(zip(sample, errors, strict=True)):
            metrics = {"accuracy": 1 - (error or 0), "loss": 2 * (error or 0)}
            if params:
                metrics["params"] = params[number]
            found.record(a, Measurement(metrics) if error is not None else Measurement(error="no"))
        return found

    return run


# -- the function ---------------------------------------------------------------------------------


def test_the_share_of_architectures_with_less_error(make: Make) -> None:
    [found] = edf([make("one", [0.4, 0.1, 0.2, 0.2])])
    assert found.errors.tolist() == pytest.approx([0.1, 0.2, 0.2, 0.4])
    shares = [found.share(e) for e in (0.05, 0.15, 0.25, 0.5)]
    assert shares == pytest.approx([0, 0.25, 0.75, 1])


def test_quantiles(make: Make) -> None:
    [found] = edf([make("one", [0.4, 0.1, 0.3, 0.2])])
    quantiles = [found.quantile(share) for share in (0, 0.25, 0.5, 0.75, 1)]
    assert quantiles == pytest.approx([0.1, 0.1, 0.2, 0.3, 0.4])


def test_architectures_without_weight_are_not_the_best() -> None:
    found = Distribution("one", np.array([0.1, 0.2]), np.array([0.0, 1.0]))
    assert found.quantile(0) == 0.2


def test_failures_are_counted_and_left_out(make: Make) -> None:
    [found] = edf([make("one", [0.4, None, 0.2, None])])
    assert (len(found.errors), found.failed) == (2, 2)


def test_minimised_metrics_are_errors_as_they_are(make: Make) -> None:
    [found] = edf([make("one", [0.1, 0.2])], "-loss")
    assert found.errors.tolist() == pytest.approx([0.2, 0.4])


def test_labels_say_what_was_drawn_and_how(make: Make) -> None:
    runs = [make("one", [0.1]), make("two", [0.1]), make("three", [0.1], by="rl")]
    labels = [found.label for found in edf(runs)]
    start = "nas-bench-201 (1 by random)"
    assert labels == [f"{start} one", f"{start} two", "nas-bench-201 (1 by rl)"]


# -- complexity -----------------------------------------------------------------------------------


def test_bins_of_complexity_weigh_the_same(make: Make) -> None:
    """Three small networks and one large one: the large one weighs as much as they together."""
    [found] = edf([make("one", [0.1, 0.2, 0.3, 0.4], [1, 1, 2, 9])], complexity="params", bins=2)
    assert found.weights.tolist() == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 2])


def test_only_the_range_that_all_runs_have_counts(make: Make) -> None:
    runs = [make("one", [0.1, 0.2, 0.3], [1, 5, 9]), make("two", [0.1, 0.2, 0.3], [5, 9, 20])]
    one, two = edf(runs, complexity="params", bins=2)
    assert one.weights.tolist() == pytest.approx([0, 0.5, 0.5])
    assert two.weights.tolist() == pytest.approx([0.5, 0.5, 0])


def test_bins_that_are_empty_in_one_run_are_left_out(make: Make) -> None:
    runs = [make("one", [0.1, 0.2], [0, 9]), make("two", [0.1, 0.2, 0.3], [0, 5, 9])]
    found = edf(runs, complexity="params", bins=3)
    assert [one.weights.tolist() for one in found] == [[0.5, 0.5], [0.5, 0, 0.5]]


def test_spaces_that_differ_in_complexity_alone_become_equal(make: Make) -> None:
    """The error follows the complexity, of which the spaces have different shares."""
    sizes = [np.linspace(0, 1, 50) ** 2, 1 - np.linspace(0, 1, 50) ** 2]
    runs = [
        make(str(i), (0.5 - 0.4 * size).tolist(), size.tolist()) for i, size in enumerate(sizes)
    ]
    plain, even = edf(runs), edf(runs, complexity="params", bins=6)
    assert abs(plain[0].quantile(0.5) - plain[1].quantile(0.5)) > 0.1
    assert abs(even[0].quantile(0.5) - even[1].quantile(0.5)) < 0.04
    assert all(one.weights.sum() == pytest.approx(1) for one in even)


# -- refusals -------------------------------------------------------------------------------------


def test_what_cannot_be_compared_is_refused(make: Make) -> None:
    run, other = make("one", [0.1, 0.2], [1, 2]), make("two", [0.1, 0.2], [3, 4])
    for call, message in (
        (lambda: edf([]), "at least one run"),
        (lambda: edf([make("none", [])]), "no evaluated architectures"),
        (lambda: edf([run], "loss"), "'loss' is no error: accuracy, or one to minimise"),
        (lambda: edf([run], "-speed"), "'speed' is not measured; measured is accuracy, loss"),
        (lambda: edf([run], complexity="flops"), "'flops' is not measured"),
        (lambda: edf([run], complexity="flops"), "^complexity .* --limit 'flops>=0'$"),
        (lambda: edf([run], bins=0), "bins=0"),
        (lambda: edf([run, other], complexity="params"), "no range of complexity in common"),
    ):
        with pytest.raises(NasError, match=message):
            call()


# -- the drawing and the command ------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_a_picture_is_drawn_the_same_each_time(make: Make, tmp_path: Path, suffix: str) -> None:
    runs = [make("one", [0.1, 0.3, 0.2]), make("two", [0.2, 0.5], by="rl")]
    out = tmp_path / f"edf.{suffix}"
    draw_edf(edf(runs), out)
    first = out.read_bytes()
    assert len(first) > 2000
    draw_edf(edf(runs), out)
    assert out.read_bytes() == first


def test_where_nothing_can_be_drawn_it_says_so(tmp_path: Path) -> None:
    one = Distribution("one", np.array([0.1]), np.array([1.0]))
    with pytest.raises(NasError, match="unknown suffix"):
        draw_edf([one], tmp_path / "edf.gif")
    with pytest.raises(NasError, match="does not exist"):
        draw_edf([one], tmp_path / "no" / "edf.png")


def test_the_command_gives_a_table_and_a_picture(make: Make, tmp_path: Path) -> None:
    run = make("one", [0.1, 0.3, 0.2, None])
    result = run_edf([run.folder], tmp_path / "edf.png")
    json.dumps(result)
    [row] = result["distributions"]
    assert (row["architectures"], row["failed"]) == (3, 1)
    assert row["quartiles"] == pytest.approx([0.1, 0.2, 0.3])
    assert "0.1000   0.1000   0.2000   0.3000  1 failed" in result["text"]
    assert result["picture"] == str(tmp_path / "edf.png")
