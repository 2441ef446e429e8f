"""Reports: everything recorded is shown, nothing is loaded, a partial run is no failure."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from reports import BEST, CONFIG, Checker, Record, epoch, report, trial, words

from nas.errors import NasError
from nas.reporting.report import write_report


def full(folder: Path) -> str:
    graph: Any = nx.DiGraph([("in", "op"), ("op", "0"), ("0", "out")])
    for node, kind in (("in", "input"), ("op", "op"), ("0", "node"), ("out", "output")):
        graph.nodes[node].update(op="sep_conv_3x3" if kind == "op" else kind, kind=kind)
    events = [epoch(i, identities=i // 2) for i in (1, 2, 3)] + [epoch(1, "train")]
    events += [trial(i, 0.5 + 0.01 * i) for i in range(12)] + [{"event": "done"}]
    return report(folder, events, CONFIG, BEST, graph)


def test_the_page_is_sound_and_loads_nothing(tmp_path: Path) -> None:
    page = full(tmp_path)
    checked = Checker(page)
    assert len(checked.ids) == len(set(checked.ids)) > 0
    assert not re.search(r"https?:|<script|<link|<img|@import|\bsrc=", page)
    assert all(target[1:] in checked.ids for target in re.findall(r'href="(#[^"]*)"', page))
    assert [p.name for p in tmp_path.iterdir() if p.suffix not in (".json", ".jsonl")] == [
        "report.html"
    ]


def test_every_colour_of_a_figure_has_a_light_and_a_dark_value(tmp_path: Path) -> None:
    page = full(tmp_path)
    figures = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL))
    assert set(re.findall(r"#[0-9a-f]{6}\b", figures)) == set()
    used = set(re.findall(r"var\((--[0-9a-z-]+)\)", page))
    light, dark = page.split("@media (prefers-color-scheme: dark)")
    assert used and all(f"{name}:" in light and f"{name}:" in dark for name in used)


def test_the_sections_in_order(tmp_path: Path) -> None:
    titles = re.findall("<h2>(.*?)</h2>", full(tmp_path))
    assert titles == ["Architecture", "Search", "Training", "Trials", "Settings"]


def test_texts_from_the_run_are_escaped(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    metric = f"{evil} $x_{{$"
    config = {**CONFIG, "space": evil, "settings": {evil: {evil: evil}}, "versions": {evil: evil}}
    config |= {"objective": metric, "task": {evil: evil, "splits": {"sizes": {evil: evil}}}}
    best = {**BEST, "text": evil, "decisions": {evil: evil}, "metrics": {evil: 1}}
    events = [{"event": "warning", "message": evil}, epoch(1, evil), trial(0, None, error=evil)]
    scored = trial(1, None, status="ok", architecture=evil, metrics={metric: 0.5})
    page = report(tmp_path, [*events, scored], config, best)
    assert "<script" not in page and "Trials</h2>" in page
    assert Checker(page).words.count(evil) > 8


def test_an_empty_folder_gives_a_report(tmp_path: Path) -> None:
    shown = words(report(tmp_path))
    assert tmp_path.name in shown and "unfinished" in shown and "nothing so far" in shown


def test_a_killed_run_is_reported(tmp_path: Path) -> None:
    """The log ends within a line, best.json is half written, the rest is shown."""
    good = json.dumps(epoch(3, architecture="net-3"))
    (tmp_path / "log.jsonl").write_text(f'{good}\n[1]\n{{"event": "later"}}\n{{"event": "epo')
    (tmp_path / "best.json").write_text('{"text": "half')
    shown = words(report(tmp_path))
    assert "search epoch 3 of 50" in shown and "net-3" in shown and "half" not in shown


@pytest.mark.parametrize(
    "odd",
    [
        [],
        "text",
        {"settings": 3, "versions": None, "data": None, "task": "x", "objective": 5},
        {"settings": {"strategy": None}, "task": {"splits": []}, "objective": "-"},
        {"task": {"splits": {"sizes": {"train": None}, "sha256": 7}}, "objective": "unmeasured"},
    ],
)
def test_fields_of_unexpected_kinds_do_no_harm(tmp_path: Path, odd: Any) -> None:
    (tmp_path / "best.json").write_text(json.dumps({"metrics": 1, "decisions": 2, "text": 3}))
    (tmp_path / "config.json").write_text(json.dumps(odd))
    events: list[Record] = [{"event": "trial"}, {"event": "epoch"}, {"event": "warning"}]
    assert "Warnings" in words(report(tmp_path, [*events, trial(4, 0.5)]))


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NasError, match="no such folder"):
        write_report(tmp_path / "nowhere")
