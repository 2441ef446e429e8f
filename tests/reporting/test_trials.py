"""The chart of the trials and the table of the best."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure
from reports import DIFFERENTIABLE, Record, epoch, report, table_of_trials, trial

from nas.objective import Objective
from nas.reporting.trials import trial_chart

LOSS, MORE_LOSS = Objective("-loss"), Objective("loss")


def test_the_ten_best_trials_in_order(tmp_path: Path) -> None:
    accuracies = [0.3, 0.9, 0.5, 0.7, 0.1, 0.6, 0.2, 0.8, 0.4, 0.55, 0.65, 0.75]
    page = report(tmp_path, [trial(i, a) for i, a in enumerate(accuracies)])
    best = table_of_trials(page)
    assert [row[1] for row in best] == ["1", "7", "11", "3", "10", "5", "9", "2", "8", "0"]
    assert best[0] == ["1", "1", "90.00 %", "2s", "net-1"]
    assert 'aria-label="accuracy of every trial"' in page


def test_a_trial_that_was_run_again_counts_once(tmp_path: Path) -> None:
    page = report(tmp_path, [trial(0, 0.4), trial(1, 0.5), trial(1, 0.6)])
    assert [row[2] for row in table_of_trials(page)] == ["60.00 %", "40.00 %"]


def test_a_metric_that_is_no_number_is_left_out(tmp_path: Path) -> None:
    page = report(tmp_path, [trial(0, float("nan")), trial(1, 0.5)])
    assert [row[1] for row in table_of_trials(page)] == ["1"]


def test_a_single_trial_has_no_section(tmp_path: Path) -> None:
    """It is the result, as that of every differentiable search."""
    page = report(tmp_path, [epoch(1), trial(0, 0.5), trial(0, 0.5)], DIFFERENTIABLE)
    assert "Trials</h2>" not in page and "of every trial" not in page
    assert table_of_trials(page) == []
    assert "Trials</h2>" in report(tmp_path, [trial(0, 0.5), trial(1, 0.5)])


def losses(*values: float | None) -> list[Record]:
    return [
        trial(i, None) if value is None else trial(i, None, status="ok", metrics={"loss": value})
        for i, value in enumerate(values)
    ]


def legend(chart: Figure) -> list[str]:
    return [text.get_text() for text in chart.axes[0].get_legend().get_texts()]


def test_what_would_flatten_the_chart_lies_beyond_its_edge() -> None:
    usual = (1.0, 1.1, 1.2, 1.3, 1.15, 1.25, 1.05)
    chart = trial_chart(losses(*usual), LOSS)
    assert legend(chart) == ["trial", "best so far"]
    chart = trial_chart(losses(*usual, 1e6), LOSS)
    assert legend(chart) == ["trial", "higher", "best so far"]
    assert chart.axes[0].get_ylim()[1] < 2
    chart = trial_chart(losses(*(-loss for loss in usual), -1e6), MORE_LOSS)
    assert legend(chart) == ["trial", "lower", "best so far"]
    assert chart.axes[0].get_ylim()[0] > -2


def test_the_best_so_far_and_failures() -> None:
    chart = trial_chart(losses(3, None, 2, 4, 1, None), LOSS)
    assert legend(chart) == ["trial", "best so far", "failed"]
    [best] = chart.axes[0].lines
    assert best.get_xydata().tolist() == [[0, 3], [2, 2], [3, 2], [4, 1], [5, 1]]
    assert chart.axes[0].collections[-1].get_offsets()[:, 0].tolist() == [1, 5]
