"""Explanations of run folders, with pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.errors import NasError
from nas.explain import run_explain
from nas.objective import Measurement
from nas.run import Run
from nas.search_spaces.nas_bench_201 import NASBench201

SPACE = NASBench201()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run of 25 trials, two of them failed."""
    config = {"space": "nas-bench-201", "objective": "accuracy", "settings": {}, "task": {}}
    run = Run.create(tmp_path / "run", config | {"data": "none"}, SPACE)
    values = np.array([0.0, 0.2, 0.6, 1.0, 0.1])
    for number, a in enumerate(SPACE.sample(np.random.default_rng(0), 25)):
        accuracy = float(values[list(a.choices)].mean())
        metrics = {"accuracy": accuracy, "latency": 5.0 * accuracy}
        ok = number not in (3, 7)
        run.record(a, Measurement(metrics) if ok else Measurement(error="RuntimeError: failed"))
    return tmp_path / "run"


def test_a_run_is_explained(folder: Path) -> None:
    result = run_explain(folder)
    assert result["architectures"] == 23
    assert result["failed"] == 2
    assert "23 architectures of nas-bench-201 (2 more failed)" in result["text"]
    assert any("nor_conv_3x3" in effect["motif"] for effect in result["good"])
    assert "picture" not in result
    json.dumps(result)


def test_options_say_what_is_explained(folder: Path) -> None:
    slow = run_explain(folder, options={"metric": "-latency", "min_count": 3, "top": 1})
    assert (slow["metric"], slow["direction"], slow["min_count"]) == ("latency", "minimize", 3)
    assert any("nor_conv_3x3" in effect["motif"] for effect in slow["bad"])
    for options, message in (
        ({"min_cuont": 3}, "unknown setting of explain 'min_cuont'.*min_count"),
        ({"metric": "speed"}, "'speed' is not measured; measured is accuracy, latency"),
    ):
        with pytest.raises(NasError, match=message):
            run_explain(folder, options=options)


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_a_picture_is_drawn_the_same_each_time(folder: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"why.{suffix}"
    options: dict[str, Any] = {"top": 2}
    assert run_explain(folder, out, options)["picture"] == str(out)
    first = out.read_bytes()
    assert len(first) > 2000
    run_explain(folder, out, options)
    assert out.read_bytes() == first


def test_where_nothing_can_be_drawn_it_says_so(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(NasError, match="unknown suffix"):
        run_explain(folder, tmp_path / "why.gif")
    with pytest.raises(NasError, match="does not exist"):
        run_explain(folder, tmp_path / "no" / "why.png")
    with pytest.raises(NasError, match="no run"):
        run_explain(tmp_path / "no")


def test_a_run_without_results_is_refused(tmp_path: Path) -> None:
    config = {"space": "nas-bench-201", "objective": "accuracy", "settings": {}, "task": {}}
    run = Run.create(tmp_path / "run", config | {"data": "none"}, SPACE)
    with pytest.raises(NasError, match=r"0 architectures.*too few"):
        run_explain(tmp_path / "run")
    run.record(SPACE.sample(np.random.default_rng(0), 1)[0], Measurement(error="broken"))
    with pytest.raises(NasError, match="none of 1 architectures"):
        run_explain(tmp_path / "run")


def test_a_network_that_was_evaluated_twice_counts_once_as_it_was_last(tmp_path: Path) -> None:
    """And what broke a limit before it was measured does not."""
    config = {"space": "nas-bench-201", "objective": "accuracy", "settings": {}, "task": {}}
    run = Run.create(tmp_path / "run", config | {"limit": "latency<5", "data": "none"}, SPACE)
    drawn = SPACE.sample(np.random.default_rng(0), 25)
    for again in range(2):
        for a in drawn:
            accuracy = (sum(a.choices) + again) / 30
            run.record(a, Measurement({"latency": 1.0, "accuracy": accuracy}))
    run.record(SPACE.sample(np.random.default_rng(9), 1)[0], Measurement({"latency": 9.0}))
    networks = {SPACE.canonical(a) for a in drawn}
    latest = run.latest("accuracy")
    assert {SPACE.canonical(t.architecture) for t in latest} == networks
    assert min(t.number for t in latest) >= 25
    assert run_explain(tmp_path / "run")["architectures"] == len(networks)
