"""Rows say what was measured, and say loudly where the two sides differ."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from nas.errors import NasError
from perf.agreement import Yardstick
from perf.case import Case, Variation
from perf.comparison import COLUMNS, GPU_COLUMNS, Comparison, Figures, measure
from perf.measure import Profile, Timing
from perf.report import Report
from perf.run import conclude

CASE = Case("darts", 8, 5, batch=32)


def comparison(loss: float = 1.0, precision: str = "fp32") -> Comparison:
    reference = Figures((1.0, 2.0), Timing((0.5, 0.4, 0.6)), Profile(900, None, 3 * 2**20))
    ours = Figures((loss, 2.0), Timing((0.2, 0.3, 0.1)), Profile(300, None, 2**20))
    return Comparison(CASE, ("fp32", precision), reference, ours, Yardstick(1e-15, 2e-6))


def test_ratios_are_of_medians() -> None:
    row = comparison()
    assert row.speedup == pytest.approx(2.5)
    assert row.images_per_second == pytest.approx(320)
    assert row.cells() == [
        *("darts 8x5", "fp32/fp32", "500 (400)", "200 (100)", "2.50x", "900", "300", "3.0x"),
        *("3.0", "1.0", "320", "0e+00", "1e-15"),
    ]
    assert len(row.cells()) == len(COLUMNS)
    assert len(row.gpu_cells()) == len(GPU_COLUMNS)


def test_losses_that_differ_are_a_problem() -> None:
    assert comparison(1.00005).problem == ""
    assert "MISMATCH in darts, 8 channels, 5 cells, fp32/fp32" in comparison(1.01).problem
    assert comparison(1.01, "bf16").problem == ""
    assert comparison(1.2, "bf16").problem


def test_a_report_shows_and_keeps_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"
    report = Report({"cpu": "abacus"}, file)
    report.table("search", "Title", COLUMNS, "A note.")
    for loss in (1.0, 1.5):
        row = comparison(loss)
        report.row(row.cells(), row.record(), row.problem)
    report.skipped("a third row", "no reason")
    lines = capsys.readouterr().out.splitlines()
    [rule] = [line for line in lines if line and not line.strip("-")]
    assert lines[lines.index(rule) + 1].startswith("darts 8x5      fp32/fp32        500 (400)")
    assert any(line.startswith("*** MISMATCH") for line in lines)
    saved = json.loads(file.read_text())
    assert saved["machine"] == {"cpu": "abacus"}
    good, bad, skipped = saved["search"]
    assert good["problem"] is None and good["times_faster"] == pytest.approx(2.5)
    assert bad["largest_loss_difference"] == 0.5
    assert skipped == {"skipped": "a third row", "reason": "no reason"}
    assert len(report.problems) == 1
    assert (conclude(report.problems), conclude([])) == (1, 0)


class Counter:
    """Stands for a search: its loss is how often it stepped."""

    def __init__(self) -> None:
        self.steps = 0

    def step(self, *batches: object) -> tuple[float, float]:
        self.steps += 1
        return float(self.steps), 0.0


def test_all_sides_are_checked_from_the_start() -> None:
    sides = {"a": Counter(), "b": Counter()}
    found = measure(sides, Case("darts", 4, 3, 1, 1), torch.device("cpu"), 2, lambda _: None)
    assert found["a"].losses == found["b"].losses == (1.0, 0.0, 2.0, 0.0, 3.0, 0.0)
    assert sides["a"].steps == sides["b"].steps
    assert len(found["a"].timing.seconds) == 2


def test_switches_of_unknown_names_are_refused() -> None:
    from perf.steps import OurSearch

    with pytest.raises(NasError, match="speed"):
        OurSearch(CASE, Variation({"speed": "high"}), torch.device("cpu"))
