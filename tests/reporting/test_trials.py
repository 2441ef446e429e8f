"""The chart of the trials and the table of the best."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure
from reports import CONFIG, DIFFERENTIABLE, Record, epoch, report, rows, table_of_trials, trial

from nas.objective import Objective, parse_limits
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


LIMITED = {**CONFIG, "objective": "accuracy", "limit": "params<1M"}


def under_limit() -> list[Record]:
    sizes = [5e5, 2e6, 9e5]
    trials = [trial(i, 0.5 + i / 10, metrics={"accuracy": 0.5 + i / 10, "params": p})
              for i, p in enumerate(sizes)]  # fmt: skip
    late = trial(3, None, error="EvaluationTimeout: took longer than 2 s")
    return [*trials, late, trial(4, None, error="ValueError: <odd>"), trial(5, 0.9)]


def test_all_trials_say_what_became_of_them(tmp_path: Path) -> None:
    page = report(tmp_path, under_limit(), LIMITED)
    title, _, every = page.partition("<details><summary>All 6 trials")[2].partition("</summary>")
    assert title == ": 3 failed, 1 broke a limit"
    states = [row[1] for row in list(rows(every.partition("</table>")[0]))[1:]]
    assert states == [
        "ok",
        "breaks a limitparams is 2M, not params&lt;1M",
        "ok",
        "timed outEvaluationTimeout: took longer than 2 s",
        "failedValueError: &lt;odd&gt;",
        "failedparams was not measured",
    ]


def test_what_breaks_a_limit_is_not_ranked_and_drawn_apart(tmp_path: Path) -> None:
    page = report(tmp_path, under_limit(), LIMITED)
    assert [row[1] for row in table_of_trials(page)] == ["2", "0"]
    chart = trial_chart(under_limit(), Objective("accuracy", parse_limits("params<1M")))
    assert legend(chart) == ["trial", "breaks a limit", "best so far", "failed"]
    dots, refused, failed = chart.axes[0].collections
    assert dots.get_offsets().tolist() == [[0, 0.5], [2, 0.7]]
    assert refused.get_offsets().tolist() == [[1, 0.6]]
    assert failed.get_offsets()[:, 0].tolist() == [3, 4, 5]


def test_reasons_are_shown_where_nothing_counts(tmp_path: Path) -> None:
    page = report(tmp_path, [trial(0, None, error="no memory"), trial(1, None, error="odd")])
    assert "Trials</h2>" in page and "of every trial" not in page
    assert "All 2 trials: 2 failed" in page and "</span>no memory" in page


def test_a_page_has_room_for_so_many_trials(tmp_path: Path) -> None:
    page = report(tmp_path, [trial(i, 0.5) for i in range(1001)])
    assert "All 1,001 trials, the first 1,000 of them here" in page
    assert page.count('class="chip finished">ok') == 1000


def test_what_broke_a_limit_before_it_was_trained_is_no_failure(tmp_path: Path) -> None:
    config = {**CONFIG, "objective": "accuracy", "limit": "latency<5"}
    trials = [
        trial(0, None, status="ok", metrics={"latency": 9.0}),
        trial(1, 0.5, metrics={"latency": 1.0, "accuracy": 0.5}),
        trial(2, 0.6, metrics={"latency": 2.0, "accuracy": 0.6}),
    ]
    page = report(tmp_path, trials, config)
    assert "All 3 trials: 1 broke a limit" in page
    assert "latency is 9, not latency&lt;5" in page
    assert [row[1] for row in table_of_trials(page)] == ["2", "1"]


def test_leaders_that_were_evaluated_again_are_the_best(tmp_path: Path) -> None:
    trials = [trial(0, 0.9), trial(1, 0.5), trial(2, 0.4, origin="leader")]
    page = report(tmp_path, [*trials, trial(3, 0.3, origin="start")])
    assert [row[1] for row in table_of_trials(page)] == ["2"]
    assert "2, evaluated again" in page and "3, known at the start" in page
