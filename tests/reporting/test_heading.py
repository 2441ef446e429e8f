"""The heading: what was run, whether it is finished, its figures; warnings."""

from __future__ import annotations

from pathlib import Path

from reports import BEST, CONFIG, DIFFERENTIABLE, cards, epoch, report, trial, words


def test_title_state_and_figures(tmp_path: Path) -> None:
    page = report(tmp_path, [epoch(1), {"event": "done"}], CONFIG, BEST)
    shown = words(page)
    assert "nas-bench-201 × regularised-evolution × digits" in shown  # noqa: RUF001
    assert "seed 7" in shown and "finished" in shown and "unfinished" not in shown
    assert cards(page) == {"accuracy": "94.37 %", "parameters": "3,349,342", "time": "1m 00s"}


def test_metrics_of_a_differentiable_search_are_of_shared_weights(tmp_path: Path) -> None:
    best = {**BEST, "metrics": {"accuracy": 0.5, "loss": 1.25}}
    events = [epoch(1), trial(0, 0.5), {"event": "done"}]
    assert cards(report(tmp_path, events, DIFFERENTIABLE, best)) == {
        "accuracy, shared weights": "50.00 %",
        "loss, shared weights": "1.25",
        "trials": "1",
        "time": "1m 02s",
    }


def test_a_run_that_goes_on_after_its_end_is_unfinished(tmp_path: Path) -> None:
    shown = words(report(tmp_path, [trial(0, 0.5), {"event": "done"}, epoch(1, "train")]))
    assert "unfinished: train epoch 1 of 50" in shown


def test_an_epoch_that_was_run_again_counts_once(tmp_path: Path) -> None:
    page = report(tmp_path, [trial(0, 0.4), trial(1, 0.5), trial(1, 0.6), epoch(1), epoch(1)])
    assert cards(page)["time"] == "1m 04s" and cards(page)["trials"] == "2"


def test_warnings_and_failures_stand_out(tmp_path: Path) -> None:
    warnings = [{"event": "warning", "message": "3 skip connections"}] * 2
    failures = [trial(i, None, error="out of memory") for i in range(3)]
    page = report(tmp_path, [*warnings, trial(9, 0.5), *failures, trial(4, None, error="odd")])
    shown = words(page)
    assert "Warnings" in shown and shown.count("3 skip connections") == 1
    assert "4 of 5 trials failed, most often with out of memory" in shown
    assert page.index('class="warning"') < page.index("Trials</h2>")
    assert 'class="warning"' not in report(tmp_path, [trial(0, 0.5)])


def test_a_run_in_which_all_failed(tmp_path: Path) -> None:
    assert "2 of 2 trials failed" in words(report(tmp_path, [trial(i, None) for i in range(2)]))


def test_all_objectives_and_limits_are_named(tmp_path: Path) -> None:
    config = {**CONFIG, "objective": "accuracy,-params", "limit": "flops<100M", "timeout": 2.5}
    shown = words(report(tmp_path, [trial(0, 0.5)], config))
    assert "maximise accuracy, minimise params · limit flops<100M · timeout 2.5 s" in shown
    shown = words(report(tmp_path, [trial(0, 0.5)], {**CONFIG, "objective": "-loss"}))
    assert "minimise loss" in shown and "limit" not in shown and "timeout" not in shown
    assert "imise" not in words(report(tmp_path, [trial(0, 0.5)], CONFIG))


def test_a_table_stands_for_the_data(tmp_path: Path) -> None:
    config = {**CONFIG, "evaluator": "table:nas-bench-graph:cora"}
    shown = words(report(tmp_path, [trial(0, 0.5)], config))
    title = "regularised-evolution \N{MULTIPLICATION SIGN} table:nas-bench-graph:cora"
    assert title in shown and "\N{MULTIPLICATION SIGN} digits" not in shown
