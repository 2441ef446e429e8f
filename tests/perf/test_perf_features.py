"""Sparse features: that both sides compute the same, and a difference is seen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from torch import Tensor

from perf import features
from perf.__main__ import main
from perf.features import TOLERANCE, FeatureCase, largest_difference

CASE = FeatureCase(5, 40, 200, 0.03)


def test_a_row(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    assert main(["--tiny", "--only", "features", "--json", str(file)]) == 0
    [row] = json.loads(file.read_text())["features"]
    times = row["milliseconds"]
    assert row["times_faster"] == pytest.approx(times["dense"] / times["entries"])
    assert row["largest_difference"] <= TOLERANCE


def test_a_difference_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = features.transformed
    assert largest_difference(CASE) <= TOLERANCE

    def wrong(x: Tensor, weight: Tensor) -> Tensor:
        return usual(x, weight) * 1.01

    monkeypatch.setattr(features, "transformed", wrong)
    assert largest_difference(CASE) > TOLERANCE
