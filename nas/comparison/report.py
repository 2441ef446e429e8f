"""The report of a comparison: a table as text, a figure, and everything as JSON."""

from __future__ import annotations

from nas.comparison.plot import draw_regret
from nas.comparison.results import Comparison
from nas.comparison.summary import summarise
from nas.comparison.text import as_text
from nas.storage import atomic, write_json

__all__ = ["FIGURE", "JSON", "TABLE", "write_report"]

TABLE, FIGURE, JSON = "comparison.txt", "regret.png", "comparison.json"


def write_report(comparison: Comparison) -> str:
    """Write `comparison.txt`, `regret.png`, `regret.pdf` and `comparison.json`; return the text."""
    folder, summary = comparison.folder, summarise(comparison)
    text = as_text(summary)
    with atomic(folder / TABLE) as stream:
        stream.write(text.encode())
    write_json(folder / JSON, summary.to_json())
    image = folder / FIGURE
    draw_regret(summary, [image, image.with_suffix(".pdf")])
    return text
