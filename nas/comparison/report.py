"""The report of a comparison: a table as text, a figure, and everything as JSON."""

from __future__ import annotations

from nas.comparison.plot import draw_regret
from nas.comparison.results import Comparison
from nas.comparison.summary import summarise
from nas.comparison.text import as_text
from nas.storage import atomic, write_json

__all__ = ["FIGURE", "JSON", "REPORTED_FIGURE", "TABLE", "write_report"]

TABLE, FIGURE, JSON = "comparison.txt", "regret.png", "comparison.json"
REPORTED_FIGURE = "reported-regret.png"


def write_report(comparison: Comparison) -> str:
    """Write `comparison.txt`, `comparison.json` and figures; return the text.

    `regret.png` and `.pdf` are of what was searched, `reported-regret.png` and `.pdf` of the first
    metric that is reported, where there is one.
    """
    folder, summary = comparison.folder, summarise(comparison)
    text = as_text(summary)
    with atomic(folder / TABLE) as stream:
        stream.write(text.encode())
    write_json(folder / JSON, summary.to_json())
    for name, reported in ((FIGURE, False), (REPORTED_FIGURE, True)):
        image = folder / name
        draw_regret(summary, [image, image.with_suffix(".pdf")], reported)
    return text
