"""The Pareto front in a report: which trials are in it, what is drawn where, the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from reports import CONFIG, Record, report, rows, trial, words

from nas.reporting.front import front_chart
from nas.reporting.records import read_run
from nas.reporting.report import draw_front

TWO: Record = {**CONFIG, "objective": "accuracy,-params"}
METRICS = [(0.5, 1e4), (0.7, 2e4), (0.6, 3e4), (0.9, 4e4), (0.95, 9e4)]


def measured(metrics: list[tuple[float, ...]], *names: str) -> list[Record]:
    names = names or ("accuracy", "params")
    return [
        trial(i, 0.0, metrics=dict(zip(names, values, strict=True)))
        for i, values in enumerate(metrics)
    ]


def table(page: str) -> list[list[str]]:
    section = page.partition("<h2>Pareto front</h2>")[2].partition("</section>")[0]
    return list(rows(section))


def drawn(folder: Path, events: list[Record], config: Record) -> Figure:
    report(folder, events, config)
    return front_chart(read_run(folder))


def legend(chart: Figure) -> list[str]:
    return [text.get_text() for text in chart.axes[0].get_legend().get_texts()]


def test_the_front_is_listed_best_first(tmp_path: Path) -> None:
    page = report(tmp_path, [*measured(METRICS), trial(5, None, error="odd")], TWO)
    assert table(page) == [
        ["trial", "accuracy", "params", "architecture"],
        ["4", "95.00 %", "90,000", "net-4"],
        ["3", "90.00 %", "40,000", "net-3"],
        ["1", "70.00 %", "20,000", "net-1"],
        ["0", "50.00 %", "10,000", "net-0"],
    ]
    assert "4 trials of 6" in words(page)
    assert 'aria-label="accuracy and params of every trial, with the Pareto front"' in page


def test_what_breaks_a_limit_is_not_in_it(tmp_path: Path) -> None:
    config = {**TWO, "limit": "params<50k"}
    page = report(tmp_path, measured(METRICS), config)
    assert [row[0] for row in table(page)[1:]] == ["3", "1", "0"]
    chart = front_chart(read_run(tmp_path))
    assert legend(chart) == ["breaks a limit", "trial", "Pareto front"]
    refused, others, best = chart.axes[0].collections
    assert refused.get_offsets().tolist() == [[9e4, 0.95]]
    assert others.get_offsets().tolist() == [[3e4, 0.6]]
    assert len(best.get_offsets()) == 3


def test_one_metric_has_no_front(tmp_path: Path) -> None:
    page = report(tmp_path, measured(METRICS), {**CONFIG, "objective": "accuracy"})
    assert "Pareto" not in page
    assert draw_front(tmp_path) is None
    assert not (tmp_path / "front.png").exists()


def test_nothing_measured_has_no_front(tmp_path: Path) -> None:
    assert "Pareto" not in report(tmp_path, [trial(0, None)], TWO)
    assert draw_front(tmp_path) is None


@pytest.mark.parametrize("objective", ["accuracy,-params", "-loss,accuracy", "accuracy,reward"])
def test_no_trial_lies_beyond_the_edge(tmp_path: Path, objective: str) -> None:
    """The stair is where the front's dominance ends, whatever the directions."""
    rng = np.random.default_rng(0)
    names = [name.removeprefix("-") for name in objective.split(",")]
    values = [tuple(row) for row in rng.random((40, 2)).tolist()]
    chart = drawn(tmp_path, measured(values, *names), {**CONFIG, "objective": objective})
    up, across = (-1 if name.startswith("-") else 1 for name in objective.split(","))
    [edge] = chart.axes[0].lines
    x, y = across * np.asarray(edge.get_xdata()), up * np.asarray(edge.get_ydata())
    assert (np.diff(x) < 0).all() and (np.diff(y) > 0).all()  # across worsens, up improves
    others = chart.axes[0].collections[0].get_offsets()
    assert len(others) + len(x) == 40
    for point in np.asarray(others) * (across, up):
        assert ((x >= point[0]) & (y >= point[1])).any()


def test_three_metrics_are_drawn_in_the_plane_of_two(tmp_path: Path) -> None:
    values = [(0.9, 5.0, 3.0), (0.8, 5.0, 1.0), (0.7, 6.0, 2.0)]
    config = {**CONFIG, "objective": "accuracy,-params,-loss"}
    chart = drawn(tmp_path, measured(values, "accuracy", "params", "loss"), config)
    assert legend(chart) == ["trial", "Pareto front of all 3 metrics"]
    assert not chart.axes[0].lines  # what is dominated in three is no stair in two


def test_a_wide_range_of_costs_is_logarithmic(tmp_path: Path) -> None:
    wide = drawn(tmp_path, measured([(0.5, 1e4), (0.6, 1e6)]), TWO).axes[0]
    narrow = drawn(tmp_path, measured([(0.5, 1e4), (0.6, 2e4)]), TWO).axes[0]
    assert (wide.get_xscale(), narrow.get_xscale()) == ("log", "linear")
    assert wide.xaxis.get_major_formatter()(2e5) == "200k"
    assert wide.yaxis.get_major_formatter()(0.55) == "55 %"
    assert wide.get_xlabel() == "params (less is better)"
    assert wide.get_ylabel() == "accuracy (more is better)"


def test_the_picture(tmp_path: Path) -> None:
    report(tmp_path, measured(METRICS), TWO)
    assert draw_front(tmp_path) == tmp_path / "front.png"
    assert (tmp_path / "front.png").read_bytes().startswith(b"\x89PNG")


def beyond(axes: Axes) -> int:
    return sum(int(text.get_text().split()[0]) for text in axes.texts)


def test_what_would_flatten_the_picture_lies_beyond_its_edge(tmp_path: Path) -> None:
    """An empty cell of accuracy 0.1, and one without cost that breaks a limit."""
    rng = np.random.default_rng(0)
    usual = [(a, p) for a, p in rng.uniform((0.8, 1e4), (0.9, 3e4), (50, 2)).tolist()]
    config = {**TWO, "limit": "params>10"}
    events = measured([*usual, (0.1, 2e4), (0.1, 1.0)])
    axes = drawn(tmp_path, events, config).axes[0]
    assert 0.7 < axes.get_ylim()[0] < 0.9 < axes.get_ylim()[1] < 1
    assert 5e3 < axes.get_xlim()[0] < axes.get_xlim()[1] < 4e4
    assert beyond(axes) >= 2
    best = axes.collections[-1].get_offsets()
    seen = (best >= [axes.get_xlim()[0], axes.get_ylim()[0]]).all()
    assert seen and (best <= [axes.get_xlim()[1], axes.get_ylim()[1]]).all()
    assert not beyond(drawn(tmp_path, measured(METRICS), TWO).axes[0])


def test_a_single_trial_is_drawn(tmp_path: Path) -> None:
    chart = drawn(tmp_path, measured([(0.5, 1e4)]), TWO)
    assert legend(chart) == ["Pareto front"]
    assert draw_front(tmp_path) is not None
