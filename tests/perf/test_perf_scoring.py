"""Scoring one by one and together: what is compared, and what is reported."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import perf.scoring
from perf.report import Report
from perf.scoring import largest_differences, make_work, score_one_by_one, scoring_table

CPU = torch.device("cpu")


def table(monkeypatch: pytest.MonkeyPatch, scorer: Any) -> Report:
    monkeypatch.setattr(perf.scoring, "score_together", scorer)
    report = Report({})
    scoring_table(images=8, size=8, paths=2, device=CPU, repeats=1, report=report)
    return report


def test_two_equal_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    report = table(monkeypatch, lambda: score_one_by_one)
    assert [row["batch_norm"] for row in report.figures["scoring"]] == ["recalibrate", "batch"]
    assert all(row["largest_difference"]["loss"] == 0 for row in report.figures["scoring"])
    assert not report.problems


def test_another_result_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*work: Any) -> list[dict[str, float]]:
        return [{**scores, "loss": 0.0} for scores in score_one_by_one(*work)]

    assert len(table(monkeypatch, lambda: wrong).problems) == 2


def test_without_a_scorer_there_are_no_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ImportError("none here")

    report = table(monkeypatch, missing)
    assert report.figures["scoring"] == [{"skipped": "all rows", "reason": "none here"}]


def test_differences() -> None:
    a = [{"accuracy": 0.5, "loss": 1.0}, {"accuracy": 0.5, "loss": 2.0}]
    b = [{"accuracy": 0.5, "loss": 1.5}, {"accuracy": 0.25, "loss": 2.0}]
    assert largest_differences(a, b) == {"accuracy": 0.25, "loss": 0.5}


def test_paths_are_different() -> None:
    supernet, paths, task = make_work(images=20, size=8, paths=30)
    assert len({tuple(path.items()) for path in paths}) == 30
    assert (task.size("train"), task.size("valid")) == (20, 20)
    assert paths[0].keys() == supernet.gates.keys()
