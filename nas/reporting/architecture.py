"""The found architecture: drawn, in the space's notation, node by node and by its decisions."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from nas.drawing import figure, text
from nas.reporting.charts import svg
from nas.reporting.markup import code, details, section, table, words
from nas.reporting.records import Record

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["architecture_section"]


def architecture_section(best: Record, graph: nx.DiGraph[Any] | None) -> str:
    """Write the section on the found architecture; nothing if there is none.

    Args:
        best: The result, as in `best.json`.
        graph: As `SearchSpace.graph` returns it, to be drawn.
    """
    content = _drawing(graph) if graph is not None else ""
    if best.get("text"):
        content += f"<pre>{escape(words(best['text']))}</pre>"
    if graph is not None:
        content += details("Node by node", f"<pre>{escape(text(graph))}</pre>")
    return section("Architecture", content + _decisions(best.get("decisions")))


def _drawing(graph: nx.DiGraph[Any]) -> str:
    image = svg(figure(graph), "the found architecture", "architecture")
    return f'<div class="drawing">{image}</div>'


def _decisions(decisions: object) -> str:
    if not isinstance(decisions, dict) or not decisions:
        return ""
    rows = [(code(name), code(option)) for name, option in decisions.items()]
    return details(f"Decisions ({len(rows)})", table(("decision", "option"), rows))
