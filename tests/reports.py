"""Writes the records of runs, and reads the pages that `nas.reporting.report` makes of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from nas.reporting.report import write_report

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
DIFFERENTIABLE: Record = {**CONFIG, "settings": {"strategy": {"relaxation": "softmax"}}}


def trial(number: int, accuracy: float | None, **more: Any) -> Record:
    """A trial of the log; one without an accuracy has failed."""
    status = "failed" if accuracy is None else "ok"
    metrics = {} if accuracy is None else {"accuracy": accuracy}
    base = {"event": "trial", "number": number, "architecture": f"net-{number}"}
    return {**base, "status": status, "metrics": metrics, "seconds": 2.0, **more}


def epoch(number: int, phase: str = "search", **more: Any) -> Record:
    """An epoch of the log."""
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
    """Record a run in a folder and return its report."""
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
    """The text of a page."""
    return re.sub(r"\s+", " ", " ".join(Checker(page).words))


def rows(page: str) -> Iterator[list[str]]:
    """The cells of every table row, as text."""
    for row in re.findall(r"<tr>(.*?)</tr>", page):
        yield [re.sub("<[^>]*>", "", cell) for cell in re.findall(r"<t[dh]>(.*?)</t[dh]>", row)]


def table_of_trials(page: str) -> list[list[str]]:
    """The rows of the table of the best trials."""
    best = page.partition("<h3>The best ")[2].partition("</table>")[0]
    return [row for row in rows(best) if row[-1].startswith("net-")]


def cards(page: str) -> dict[str, str]:
    """The figures at a glance: name -> value."""
    return dict(re.findall("<dt>(.*?)</dt><dd>(.*?)</dd>", page))
