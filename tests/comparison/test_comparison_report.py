"""What a comparison prints and draws."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from nas.comparison.compare import compare
from nas.comparison.plot import _apart, style
from nas.comparison.report import write_report
from nas.comparison.results import Comparison
from nas.comparison.simulate import Budget
from nas.comparison.summary import summarise
from nas.comparison.text import aligned, as_text, budget_text, number
from nas.progress import Silent


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory, made_tables: Path) -> Comparison:
    """Two strategies on two tables."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAS_HOME", str(made_tables))
        patch.setattr("nas.comparison.report.draw_regret", lambda *_: None)
        return compare(
            ["made:toy", "other:toy"], ["random", "evolution"], repeats=3, evaluations=30,
            processes=1, out=tmp_path_factory.mktemp("compared") / "out", progress=Silent(),
        )  # fmt: skip


def test_the_table_says_what_was_searched_and_reported(compared: Comparison) -> None:
    text = as_text(summarise(compared))
    assert "made:toy: 3 repeats of 30 evaluations, seed 0" in text
    assert "searched on: valid accuracy on toy, 12 epochs" in text
    assert "reported: test accuracy on toy, 200 epochs" in text
    assert "15,625 architectures, optimum 90.00 %, mean 70.00 %" in text
    assert "protocol: counted (a query is the table's only number; all queries count)" in text
    assert "95 % interval, n=3" in text and "test accuracy regret" in text
    assert "by Student's t" in text and "Mann-Whitney" in text and "bootstrap" not in text
    assert "over 2 benchmarks" in text and "Nash" in text and "Holm" in text
    for line in text.splitlines():
        assert len(line) <= 160


def test_the_rows_have_the_figures(compared: Comparison) -> None:
    summary = summarise(compared)
    best, result = next(iter(summary.benchmarks["made:toy"].results.items()))
    [row] = [line for line in as_text(summary).splitlines() if line.startswith(f"{best} ")][:1]
    expected = f"{100 * result.best.mean:.2f} ± {100 * result.best.error:.2f}"
    assert expected in row and f"{100 * result.regret.mean:.3f}" in row
    regret = result.reported_regrets["test_accuracy"].mean()
    low, middle, high = (100 * part[-1] for part in (regret.low, regret.middle, regret.high))
    assert f"{middle:.3f} ({low:.3f} to {high:.3f})" in row
    assert row.split()[-2:] == ["30", "1"]  # proposals, rank
    assert row.endswith(" 1")  # the best: rank 1, and no p-value against itself


def test_the_files(compared: Comparison, tmp_path: Path) -> None:
    compared.folder = tmp_path
    write_report(compared)
    image = imread(tmp_path / "regret.png")
    assert image.shape[1] > 1200 and image.shape[0] > 500 and image[..., :3].std() > 0.05
    assert (tmp_path / "regret.pdf").read_bytes().startswith(b"%PDF")
    everything = json.loads((tmp_path / "comparison.json").read_text())
    described = everything["benchmarks"]["made:toy"]["facts"]["described"]
    assert described[1] == "reported: test accuracy on toy, 200 epochs"
    assert {file.name for file in tmp_path.iterdir()} == {
        "regret.png", "regret.pdf", "reported-regret.png", "reported-regret.pdf",
        "comparison.json", "comparison.txt",
    }  # fmt: skip


def test_budgets_in_words() -> None:
    assert budget_text(Budget(1500)) == "1,500 evaluations"
    assert budget_text(Budget(None, 7200.0, 4)) == "2h 00m simulated, 4 asynchronous workers"
    assert budget_text(Budget(10, 90.0)) == "10 evaluations or 1m 30s simulated"


def test_numbers_and_columns() -> None:
    assert (number(0.9312, True), number(0.9312, False)) == ("93.12", "0.9312")
    assert aligned([["a", "bb"], ["ccc", "d"]]) == ["a    bb", "ccc   d"]


def test_labels_keep_apart() -> None:
    """They stay in order, a gap apart, and move no further than need be."""
    wanted = np.array([0.1, 0.12, 0.13, 0.6])
    places = _apart(wanted, 0.05)
    assert (np.diff(places) >= 0.05 - 1e-9).all() and places[3] == 0.6
    assert places[:3].mean() == pytest.approx(wanted[:3].mean())


def test_lines_are_told_apart_without_colour() -> None:
    looks = [(s["color"], str(s["ls"])) for s in map(style, range(20))]
    assert len(set(looks)) == 20


def test_a_single_repeat_has_no_interval(compared: Comparison) -> None:
    single = dataclasses.replace(compared, repeats=[r for r in compared.repeats if r.repeat == 0])
    summary = summarise(single)
    rows = [line for line in as_text(summary).splitlines() if line.startswith(("random ", "evol"))]
    assert all(" to " not in row and " - " in row for row in rows[:4]) and len(rows) >= 4
    plain = json.loads(json.dumps(summary.to_json(), allow_nan=False))
    [band] = {
        str(r["mean_regret"]["low"]) for r in plain["benchmarks"]["made:toy"]["results"].values()
    }
    assert set(json.loads(band.replace("None", "null"))) == {None}


def test_single_repeats_can_be_drawn(compared: Comparison, tmp_path: Path) -> None:
    repeats = [r for r in compared.repeats if r.repeat == 0]
    write_report(dataclasses.replace(compared, repeats=repeats, folder=tmp_path))
    assert imread(tmp_path / "reported-regret.png")[..., :3].std() > 0.05


def test_how_many_were_evaluated_is_told_where_it_differs(compared: Comparison) -> None:
    assert "evaluated" not in as_text(summarise(compared))
    repeats = [dataclasses.replace(r, proposals=0) for r in compared.repeats]
    first = repeats[0]
    short = {m: values[:9] for m, values in first.reported.items()}
    repeats[0] = dataclasses.replace(
        first, choices=first.choices[:9], values=first.values[:9], seconds=first.seconds[:9],
        best=first.best[:9], reported=short,
    )  # fmt: skip
    text = as_text(summarise(dataclasses.replace(compared, repeats=repeats)))
    assert "evaluated  proposed" in text
    row = next(line for line in text.splitlines() if line.startswith("random "))
    assert " 23         - " in row  # (9 + 30 + 30) / 3; proposals were not recorded


def test_the_table_says_what_a_query_is(compared: Comparison) -> None:
    noisy = {name: dataclasses.replace(one, trainings=3) for name, one in compared.facts.items()}
    text = as_text(summarise(dataclasses.replace(compared, facts=noisy)))
    assert "counted (a query is one of 3 trainings at random; all queries count)" in text
    assert "numbers are the means" in " ".join(text.split())
    free = dataclasses.replace(compared, facts=noisy, protocol="noise-free")
    text = as_text(summarise(free))
    assert "(a query is the mean of 3 trainings; what is proposed again is free)" in text


def test_long_names_fit(compared: Comparison, tmp_path: Path) -> None:
    """The legend of several panels breaks its lines; one panel is wider for its labels."""
    tail = "?" + "&".join(f"setting{n}=1234" for n in range(5))
    named = [dataclasses.replace(r, strategy=r.strategy + tail) for r in compared.repeats]
    names = [name + tail for name in compared.strategies]
    both = dataclasses.replace(compared, repeats=named, strategies=names, folder=tmp_path / "both")
    one = dataclasses.replace(
        both, repeats=[r for r in named if r.benchmark == "made:toy"], folder=tmp_path / "one"
    )
    for made in (both, one):
        made.folder.mkdir()
        write_report(made)
        pixels = imread(made.folder / "regret.png")[..., :3]
        assert (pixels[:, -2:] == 1).all()  # nothing is cut off at the right
        lines = (pixels.std(2) > 0.1).sum(0) > 0.01 * len(pixels)  # columns with more than text
        assert lines.sum() > 0.2 * pixels.shape[1]
