"""Pieces of HTML: values as a person would write them, tables, sections."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from html import escape

from nas.progress import duration

__all__ = ["code", "details", "figure", "label", "section", "table", "words"]


def words(value: object) -> str:
    """Write a setting's value: an object by its name, a text as it is, the rest as JSON."""
    if isinstance(value, dict) and "name" in value:
        return str(value["name"])
    return value if isinstance(value, str) else _json(value)


def _json(value: object) -> str:
    """Write JSON whose floats have six digits, as 0.1 * 0.03 is 0.0029999999999999996."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return f"[{', '.join(map(_json, value))}]"
    if isinstance(value, dict):
        items = (f"{json.dumps(str(key))}: {_json(item)}" for key, item in value.items())
        return f"{{{', '.join(items)}}}"
    return json.dumps(value)


def figure(name: str, value: float) -> str:
    """Write a metric's value in the unit that its name tells.

    Args:
        name: The metric: an accuracy is a share of 1, `seconds` a duration.
        value: NaN where it is not known.
    """
    if math.isnan(value):
        return "\N{EN DASH}"
    if name.endswith(("accuracy", "acc")) and abs(value) <= 1:
        return f"{100 * value:.2f} %"
    if name == "seconds":
        return duration(value) if value >= 10 else f"{value:.2g}s"
    return f"{value:,.0f}" if value.is_integer() or abs(value) >= 1e5 else f"{value:.4g}"


def label(name: str) -> str:
    """Write the name of a metric or setting."""
    return escape(name.replace("_", " "))


def code(value: object) -> str:
    """Write a value in the type of code."""
    return f"<code>{escape(words(value))}</code>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table of cells that are HTML already; without a head if that is empty."""
    top = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in rows)
    return f"<table>{f'<thead><tr>{top}</tr></thead>' if head else ''}<tbody>{body}</tbody></table>"


def details(title: str, content: str) -> str:
    """Write what is shown on demand."""
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


def section(title: str, content: str, kind: str = "") -> str:
    """Write a section of the page; nothing if it has no content.

    Args:
        title: As text.
        content: As HTML.
        kind: The class in the style sheet.
    """
    if not content:
        return ""
    return f'<section class="{kind}"><h2>{escape(title)}</h2>{content}</section>'
