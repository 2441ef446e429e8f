"""Reading what a run has recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from reports import CONFIG, DIFFERENTIABLE, Record, epoch, trial

from nas.reporting.records import Recorded, latest_epochs, metrics_of, read_run


def test_an_empty_folder_has_recorded_nothing(tmp_path: Path) -> None:
    assert read_run(tmp_path) == Recorded({}, {}, [], [])


def test_trials_by_number_the_last_of_each(tmp_path: Path) -> None:
    events = [trial(1, 0.1), trial(0, 0.2), epoch(1), trial(1, 0.3)]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(e) + "\n" for e in events))
    run = read_run(tmp_path)
    assert [(t["number"], metrics_of(t)) for t in run.trials] == [
        (0, {"accuracy": 0.2}),
        (1, {"accuracy": 0.3}),
    ]
    assert run.events == events


def test_epochs_in_order_the_last_of_each() -> None:
    events = [epoch(1), epoch(2, seconds=1.0), epoch(2, seconds=2.0), epoch(1, "train")]
    assert latest_epochs(events, "search") == [events[0], events[2]]
    assert latest_epochs(events) == [events[0], events[2], events[3]]


def test_metrics_are_finite_numbers() -> None:
    odd = {"a": 1, "b": 0.5, "c": float("nan"), "d": float("inf"), "e": True, "f": "1", "g": None}
    assert metrics_of({"metrics": odd}) == {"a": 1.0, "b": 0.5}
    assert metrics_of({"metrics": [1]}) == metrics_of({}) == {}


@pytest.mark.parametrize(
    ("config", "expected"),
    [(DIFFERENTIABLE, True), (CONFIG, False), ({}, False), ({"settings": {"strategy": 1}}, False)],
)
def test_a_differentiable_search_has_a_relaxation(config: Record, expected: bool) -> None:
    assert Recorded(config, {}, [], []).is_differentiable is expected
