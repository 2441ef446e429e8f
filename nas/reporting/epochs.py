"""The curves of a search or training: loss, accuracy and skip connections over epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from nas.drawing import INK
from nas.reporting.charts import SKIP, TRAIN, VALID, chart, in_percent, svg
from nas.reporting.markup import section
from nas.reporting.records import Record, latest_epochs, number_of

__all__ = ["phase_sections"]

_PHASES = {"search": "Search", "supernet": "Supernet training", "train": "Training"}

# Title of a chart -> value in the log, in words -> colour.
_CHARTS = {
    "loss": {"train loss": TRAIN, "valid loss": VALID},
    "accuracy": {"train accuracy": TRAIN, "valid accuracy": VALID},
    "identity operations": {"identities": SKIP},
}


def phase_sections(events: Sequence[Record]) -> str:
    """Write a section of curves for every phase that the log has, in the log's order."""
    phases = (str(e.get("phase", "train")) for e in events if e.get("event") == "epoch")
    return "".join(_phase(events, phase, i) for i, phase in enumerate(dict.fromkeys(phases)))


def _phase(events: Sequence[Record], phase: str, index: int) -> str:
    own = latest_epochs(events, phase)
    charts = [_curves(own, f"phase-{index}", *titled) for titled in _CHARTS.items()]
    drawn = "".join(f"<figure>{chart}</figure>" for chart in charts if chart)
    title = _PHASES.get(phase, phase.capitalize())
    return section(title, f'<div class="charts">{drawn}</div>' if drawn else "")


def _curves(own: Sequence[Record], prefix: str, title: str, curves: Mapping[str, str]) -> str:
    """Draw values over epochs; empty if the log has none of them."""
    drawing, axes = chart(title, "epoch")
    for name, colour in curves.items():
        key = name.replace(" ", "_")
        points = [(number_of(e.get("epoch"), i), number_of(e.get(key))) for i, e in enumerate(own)]
        points = [(x, y) for x, y in points if not math.isnan(y)]
        if points:
            _curve(axes, points, colour, name.split()[0] if len(curves) > 1 else "")
    if not axes.lines:
        return ""
    if len(axes.lines) > 1:
        axes.legend(frameon=False, labelcolor=INK)
    in_percent(axes, title)
    return svg(drawing, f"{title} per epoch", f"{prefix}-{title.split()[0]}")


def _curve(axes: Axes, points: list[tuple[float, float]], colour: str, label: str) -> None:
    marker = "o" if len(points) < 15 else ""
    axes.plot(*zip(*points, strict=True), color=colour, lw=1.6, marker=marker, ms=3.5, label=label)
