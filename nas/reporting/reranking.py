"""The best of a search that were trained again: a table, the best mean first."""

from __future__ import annotations

from html import escape

from nas.reporting.markup import code, figure, label, section, table
from nas.reporting.records import Record, Recorded, metrics_of, number_of

__all__ = ["reranking_section"]


def reranking_section(run: Recorded) -> str:
    """Write the section on what `nas rerank` trained again; empty where it was not called."""
    if not run.candidates:
        return ""
    name = str(run.candidates[0].get("metric", "accuracy"))
    head = [
        "",
        "from",
        "in the search",
        f"{label(name)}, mean",
        "deviation",
        "trainings",
        "architecture",
    ]
    rows = [_row(rank, one, name) for rank, one in enumerate(run.candidates, start=1)]
    about = "<p>The best of the search, each trained again several times; the first was taken.</p>"
    return section("Trained again", about + f'<div class="wide">{table(head, rows)}</div>')


def _row(rank: int, one: Record, name: str) -> list[str]:
    searched = metrics_of({"metrics": one.get("searched")})
    first = name if name in searched else next(iter(searched), name)
    what = "" if first == name else f"{label(first)} "
    values = one.get("values")
    return [
        str(rank),
        escape(str(one.get("origin", ""))),
        f"{what}{figure(first, searched[first])}" if searched else "",
        figure(name, metrics_of(one).get(name, float("nan"))),
        figure(name, number_of(one.get("deviation"))),
        str(len(values)) if isinstance(values, list) else "",
        code(one.get("architecture", "")),
    ]
