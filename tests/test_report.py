"""Reports: everything recorded is shown, nothing is loaded, a partial run is no failure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

from nas.errors import NasError
from nas.report import write_report

Record = dict[str, Any]

CONFIG: Record = {
    "space": "nas-bench-201",
    "strategy": "regularised-evolution",
    "evaluator": "train",
    "data": "digits",
    "seed": 7,
    "settings": {"strategy": {"population": 20, "betas": [0.5, 0.999]}, "train": {"epochs": 3}},
    "versions": {"torch": "2.6.0"},
    "created": "2026-01-02T03:04:05",
}
BEST: Record = {
    "space": "nas-bench-201",
    "text": "|nor_conv_3x3~0|",
    "choices": [1],
    "decisions": {"edge 0-1": "nor_conv_3x3"},
    "metrics": {"accuracy": 0.9437, "parameters": 3349342},
}


def trial(number: int, accuracy: float | None, **more: Any) -> Record:
    status = "failed" if accuracy is None else "ok"
    metrics = {} if accuracy is None else {"accuracy": accuracy}
    base = {"event": "trial", "number": number, "architecture": f"net-{number}"}
    return {**base, "status": status, "metrics": metrics, "seconds": 2.0, **more}


def epoch(number: int, phase: str = "search", **more: Any) -> Record:
    losses = {"train_loss": 1 / number, "valid_loss": 1.2 / number}
    accuracies = {"train_accuracy": 1 - 0.5 / number, "valid_accuracy": 1 - 0.6 / number}
    base = {"event": "epoch", "phase": phase, "epoch": number, "epochs": 50, "seconds": 60.0}
    return {**base, **losses, **accuracies, **more}


def report(
    folder: Path,
    events: list[Record] | None = None,
    config: Record | None = None,
    best: Record | None = None,
    graph: Any = None,
) -> str:
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    if best is not None:
        (folder / "best.json").write_text(json.dumps(best))
    if events is not None:
        (folder / "log.jsonl").write_text("".join(json.dumps(e) + "\n" for e in events))
    path = write_report(folder, graph=graph)
    assert path == folder / "report.html"
    return path.read_text(encoding="utf-8")


class Checker(HTMLParser):
    """Collects the ids and the words of a page and checks that every element is closed."""

    VOID = ("meta", "link", "img", "br", "hr", "input")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)


def words(page: str) -> str:
    return re.sub(r"\s+", " ", " ".join(Checker(page).words))


def rows(page: str) -> Iterator[list[str]]:
    """The cells of every table row, as text."""
    for row in re.findall(r"<tr>(.*?)</tr>", page):
        yield [re.sub("<[^>]*>", "", cell) for cell in re.findall(r"<t[dh]>(.*?)</t[dh]>", row)]


@pytest.fixture
def graph() -> Any:
    graph: Any = nx.DiGraph([("in", "op"), ("op", "0"), ("0", "out")])
    for node, kind in (("in", "input"), ("op", "op"), ("0", "node"), ("out", "output")):
        graph.nodes[node].update(op="sep_conv_3x3" if kind == "op" else kind, kind=kind)
    return graph


def full(folder: Path, graph: Any) -> str:
    events = [epoch(i, skips=i // 2) for i in (1, 2, 3)] + [epoch(1, "train")]
    events += [trial(i, 0.5 + 0.01 * i) for i in range(12)] + [{"event": "done"}]
    return report(folder, events, CONFIG, BEST, graph)


def test_the_page_is_sound_and_loads_nothing(tmp_path: Path, graph: Any) -> None:
    page = full(tmp_path, graph)
    checked = Checker(page)
    assert len(checked.ids) == len(set(checked.ids)) > 0
    assert not re.search(r"https?:|<script|<link|<img|@import|\bsrc=", page)
    assert all(target[1:] in checked.ids for target in re.findall(r'href="(#[^"]*)"', page))
    assert [p.name for p in tmp_path.iterdir() if p.suffix not in (".json", ".jsonl")] == [
        "report.html"
    ]


def test_every_colour_of_a_figure_has_a_light_and_a_dark_value(tmp_path: Path, graph: Any) -> None:
    page = full(tmp_path, graph)
    figures = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL))
    assert set(re.findall(r"#[0-9a-f]{6}\b", figures)) == set()
    used = set(re.findall(r"var\((--[0-9a-z-]+)\)", page))
    light, dark = page.split("@media (prefers-color-scheme: dark)")
    assert used and all(f"{name}:" in light and f"{name}:" in dark for name in used)


def test_heading_metrics_and_settings(tmp_path: Path) -> None:
    page = report(tmp_path, [epoch(1), {"event": "done"}], CONFIG, BEST)
    shown = words(page)
    assert "nas-bench-201 × regularised-evolution × digits" in shown  # noqa: RUF001
    for piece in ("94.37 %", "3,349,342", "seed 7", "finished", "1m 00s"):
        assert piece in shown
    assert "unfinished" not in shown
    for row in (["population", "20"], ["betas", "[0.5, 0.999]"], ["torch", "2.6.0"]):
        assert row in list(rows(page))


def test_a_run_that_goes_on_after_its_end_is_unfinished(tmp_path: Path) -> None:
    shown = words(report(tmp_path, [trial(0, 0.5), {"event": "done"}, epoch(1, "train")]))
    assert "unfinished: train epoch 1 of 50" in shown


def test_the_architecture_is_drawn_and_written(tmp_path: Path, graph: Any) -> None:
    page = report(tmp_path, None, CONFIG, BEST, graph)
    assert 'aria-label="the found architecture"' in page
    assert "|nor_conv_3x3~0|" in words(page)
    assert "node 0 = sep_conv_3x3(in" in words(page)
    assert ["edge 0-1", "nor_conv_3x3"] in list(rows(page))


def test_curves_for_every_phase(tmp_path: Path) -> None:
    events = [epoch(i, phase, skips=1) for phase in ("search", "supernet") for i in (1, 2)]
    page = report(tmp_path, [*events, epoch(1, "train"), epoch(2, "train")])
    labels = re.findall('aria-label="([^"]*)"', page)
    assert labels.count("loss per epoch") == labels.count("accuracy per epoch") == 3
    assert labels.count("skip connections per epoch") == 2
    assert all(title in words(page) for title in ("Search", "Supernet training", "Training"))


def test_values_that_are_no_numbers_are_left_out(tmp_path: Path) -> None:
    events = [epoch(i, train_loss=float("nan"), valid_loss=None) for i in (1, 2)]
    page = report(tmp_path, [*events, trial(0, float("nan")), trial(1, 0.5)])
    assert "loss per epoch" not in page and "accuracy per epoch" in page
    assert [row[1] for row in rows(page) if len(row) == 5] == ["trial", "1"]


def test_the_ten_best_trials_in_order(tmp_path: Path) -> None:
    accuracies = [0.3, 0.9, 0.5, 0.7, 0.1, 0.6, 0.2, 0.8, 0.4, 0.55, 0.65, 0.75]
    page = report(tmp_path, [trial(i, a) for i, a in enumerate(accuracies)])
    best = [row for row in rows(page) if "net-" in row[-1]]
    assert [row[1] for row in best] == ["1", "7", "11", "3", "10", "5", "9", "2", "8", "0"]
    assert best[0] == ["1", "1", "90.00 %", "2s", "net-1"]
    assert 'aria-label="accuracy of every trial"' in page


def test_less_is_better_for_an_error(tmp_path: Path) -> None:
    trials = [trial(i, None, status="ok", metrics={"error": e}) for i, e in enumerate((3.0, 1, 2))]
    page = report(tmp_path, trials)
    assert [row[1] for row in rows(page) if "net-" in row[-1]] == ["1", "2", "0"]


def test_a_trial_or_epoch_that_was_run_again_counts_once(tmp_path: Path) -> None:
    events = [trial(0, 0.4), trial(1, 0.5), trial(1, 0.6), epoch(1), epoch(1)]
    page = report(tmp_path, events)
    assert [row[2] for row in rows(page) if "net-" in row[-1]] == ["60.00 %", "40.00 %"]
    assert "1m 04s" in words(page)


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


def test_texts_from_the_run_are_escaped(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    config = {**CONFIG, "space": evil, "settings": {evil: {evil: evil}}, "versions": {evil: evil}}
    best = {**BEST, "text": evil, "decisions": {evil: evil}, "metrics": {evil: 1}}
    events = [{"event": "warning", "message": evil}, epoch(1, evil), trial(0, None, error=evil)]
    scored = trial(1, None, status="ok", architecture=evil, metrics={f"{evil} $x_{{$": 0.5})
    page = report(tmp_path, [*events, scored], config, best)
    assert "<script" not in page
    assert Checker(page).words.count(evil) > 5


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


def test_the_best_trial_stands_in_for_a_missing_best(tmp_path: Path) -> None:
    page = report(tmp_path, [trial(0, 0.5), trial(1, 0.75), trial(2, 0.6)])
    assert "<pre>net-1</pre>" in page
    assert re.search("<dt>accuracy</dt><dd>75.00 %</dd>", page)


@pytest.mark.parametrize("odd", [[], "text", {"settings": 3, "versions": None, "data": None}])
def test_fields_of_unexpected_kinds_do_no_harm(tmp_path: Path, odd: Any) -> None:
    (tmp_path / "best.json").write_text(json.dumps({"metrics": 1, "decisions": 2, "text": 3}))
    (tmp_path / "config.json").write_text(json.dumps(odd))
    events: list[Record] = [{"event": "trial"}, {"event": "epoch"}, {"event": "warning"}]
    assert "Warnings" in words(report(tmp_path, events))


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NasError, match="no such folder"):
        write_report(tmp_path / "nowhere")
