"""Which trial is better: by the objective, else by a guess; what stands in for a result."""

from __future__ import annotations

from pathlib import Path

import pytest
from reports import CONFIG, Record, cards, report, table_of_trials, trial

METRICS: list[Record] = [
    {"accuracy": 0.9, "loss": 0.5, "score": 2.0},
    {"accuracy": 0.8, "loss": 0.1, "score": 3.0},
    {"accuracy": 0.7, "loss": 0.3, "score": 1.0},
]


def measured(metrics: list[Record]) -> list[Record]:
    return [trial(i, None, status="ok", metrics=m) for i, m in enumerate(metrics)]


@pytest.mark.parametrize(
    ("objective", "order"),
    [
        ("accuracy", ["0", "1", "2"]),
        ("-accuracy", ["2", "1", "0"]),
        ("-loss", ["1", "2", "0"]),
        ("loss", ["0", "2", "1"]),  # the sign decides, not the name
        ("-score", ["2", "0", "1"]),
    ],
)
def test_the_objective_decides(tmp_path: Path, objective: str, order: list[str]) -> None:
    page = report(tmp_path, measured(METRICS), {**CONFIG, "objective": objective})
    assert [row[1] for row in table_of_trials(page)] == order
    metric = objective.removeprefix("-")
    assert f'aria-label="{metric} of every trial"' in page
    assert f"<th>trial</th><th>{metric}</th>" in page
    assert f"<pre>net-{order[0]}</pre>" in page


@pytest.mark.parametrize("objective", [None, 3, "", "-", "accuracy,,loss", "loss,loss"])
def test_without_an_objective_accuracy_decides(tmp_path: Path, objective: object) -> None:
    page = report(tmp_path, measured(METRICS), {**CONFIG, "objective": objective})
    assert [row[1] for row in table_of_trials(page)] == ["0", "1", "2"]


@pytest.mark.parametrize("limit", [None, 3, "params<", "loss<0.4,"])
def test_a_limit_of_an_unexpected_kind_does_no_harm(tmp_path: Path, limit: object) -> None:
    page = report(tmp_path, measured(METRICS), {**CONFIG, "objective": "accuracy", "limit": limit})
    ranked = [row[1] for row in table_of_trials(page)]
    assert ranked == (["1", "2"] if limit == "loss<0.4," else ["0", "1", "2"])


def test_less_is_better_for_an_error(tmp_path: Path) -> None:
    page = report(tmp_path, measured([{"error": error} for error in (3.0, 1, 2)]))
    assert [row[1] for row in table_of_trials(page)] == ["1", "2", "0"]


def test_the_best_trial_stands_in_for_a_missing_best(tmp_path: Path) -> None:
    page = report(tmp_path, [trial(0, 0.5), trial(1, 0.75), trial(2, 0.6)])
    assert "<pre>net-1</pre>" in page
    assert cards(page)["accuracy"] == "75.00 %"
