"""A figure of a comparison: regret over the search, one panel a benchmark."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from nas.comparison.summary import OnBenchmark, Summary
from nas.comparison.text import budget_text
from nas.drawing import EDGE, INK
from nas.storage import atomic

__all__ = ["GRID", "HUES", "draw_regret", "style"]

Floats = NDArray[np.float64]

# Hues of Okabe and Ito (2008), then the same with another dash: a print without colour tells
# lines apart by dashes and labels.
HUES = ("#0072b2", "#d55e00", "#009e73", "#b5498f", "#c98500", "#56b4e9", "#4b5563")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1)))
GRID = "#e3e6eb"
_COLUMNS = 3
_HOUR = 3600.0


def style(at: int) -> dict[str, Any]:
    """Return the colour and dash of the line number `at`, from 0."""
    return {"color": HUES[at % len(HUES)], "ls": _DASHES[at // len(HUES) % len(_DASHES)]}


def draw_regret(summary: Summary, files: list[Path]) -> None:
    """Draw mean regret with its band, for every strategy on every benchmark.

    Args:
        summary: Of the comparison.
        files: Where to write; the suffix decides the format: `.png` or `.pdf`.
    """
    n = len(summary.benchmarks)
    columns = 2 if n == 4 else min(n, _COLUMNS)
    rows = -(-n // columns)
    size = (6.6, 4.2) if n == 1 else (3.5 * columns, 2.9 * rows + 0.7)
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    styles = {strategy: style(at) for at, strategy in enumerate(summary.comparison.strategies)}
    for panel, name in zip(axes, summary.benchmarks, strict=False):
        _panel(panel, name, summary, styles, direct=n == 1)
    for panel in axes[n:]:
        panel.set_visible(False)
    if n > 1:
        _shared_legend(figure, axes[0], len(styles))
    figure.supxlabel(_caption(summary), size=7, color=EDGE, x=0.01, ha="left")
    for file in files:
        with atomic(file) as stream:
            figure.savefig(stream, format=file.suffix[1:], dpi=200)


def _caption(summary: Summary) -> str:
    comparison = summary.comparison
    n = max(r.regret.n for one in summary.benchmarks.values() for r in one.results.values())
    return (
        f"mean of {n} repeats of {budget_text(comparison.budget)}; "
        "bands: 95 % percentile bootstrap of the mean"
    )


def _panel(
    axes: Axes, name: str, summary: Summary, styles: dict[str, dict[str, Any]], direct: bool
) -> None:
    found = summary.benchmarks[name]
    percent = found.facts.metric in found.facts.shares
    x, unit = _abscissa(found)
    scale = 100.0 if percent else 1.0
    floor = _floor(found) * scale
    ends = {}
    for strategy, result in found.results.items():
        look, band = styles[strategy], result.mean
        middle, low, high = (scale * part for part in (band.middle, band.low, band.high))
        shown = np.maximum(middle, floor)
        axes.plot(x, shown, lw=1.7, label=strategy, zorder=3, drawstyle="steps-post", **look)
        axes.fill_between(
            x, np.maximum(low, floor), np.maximum(high, floor), step="post", lw=0,
            alpha=0.14, color=look["color"], zorder=2,
        )  # fmt: skip
        ends[strategy] = float(shown[-1])
    axes.set_yscale("log")
    axes.set_xlim(x[0], x[-1])
    _dress(axes, name, found, unit or found.axis.kind, 100 if direct else 48)
    if direct:
        _label_ends(axes, ends, styles)


def _abscissa(found: OnBenchmark) -> tuple[Floats, str | None]:
    points = found.axis.points
    if found.axis.kind == "evaluations":
        return points, None
    if points[-1] > _HOUR:
        return points / _HOUR, "simulated hours"
    return points, "simulated seconds"


def _floor(found: OnBenchmark) -> float:
    """Return what a regret of zero is drawn at, on a logarithmic axis: below all that is not."""
    values = np.concatenate([r.mean.middle for r in found.results.values()])
    above = values[values > 0]
    return float(above.min()) / 2 if len(above) else 1e-6


def _dress(axes: Axes, name: str, found: OnBenchmark, x: str, width: int) -> None:
    """Write what a panel shows; `width` is that of its subtitle, in letters."""
    facts = found.facts
    lines = textwrap.wrap(facts.described[0], width)
    pad = 9 + 9 * len(lines)
    axes.set_title(name, loc="left", size=10, weight="bold", color=INK, pad=pad, parse_math=False)
    axes.annotate(
        "\n".join(lines), (0, 1), (0, 6), xycoords="axes fraction", textcoords="offset points",
        size=7, color=EDGE, parse_math=False, in_layout=False,
    )  # fmt: skip
    axes.set_xlabel(x, size=9, color=INK)
    unit = "\n(percentage points)" if facts.metric in facts.shares else ""
    axes.set_ylabel(f"regret of {facts.label.replace('_', ' ')}{unit}", size=9, color=INK)
    axes.tick_params(which="both", colors=EDGE, labelsize=8.5, length=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(EDGE)
    axes.grid(which="major", color=GRID, lw=0.8)
    axes.set_axisbelow(True)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _label_ends(axes: Axes, ends: dict[str, float], styles: dict[str, dict[str, Any]]) -> None:
    """Write names beside the ends of lines, moved apart where they would touch."""
    low, high = np.log(axes.get_ylim())
    order = sorted(ends, key=lambda strategy: ends[strategy])
    wanted = np.array([(np.log(ends[s]) - low) / (high - low) for s in order])
    for strategy, y, at in zip(order, _apart(wanted, 0.055), wanted, strict=True):
        axes.annotate(
            strategy, xy=(1.0, at), xytext=(1.035, y), xycoords="axes fraction",
            textcoords="axes fraction", va="center", size=9, color=styles[strategy]["color"],
            arrowprops={"arrowstyle": "-", "lw": 0.6, "color": styles[strategy]["color"]},
            annotation_clip=False, parse_math=False,
        )  # fmt: skip


def _apart(wanted: Floats, gap: float) -> Floats:
    """Move sorted places until neighbours are a gap apart, as little as need be."""
    groups = [[float(at)] for at in wanted]
    merged = True
    while merged:
        merged = False
        for i in range(len(groups) - 1):
            below, above = groups[i], groups[i + 1]
            if _centre(above) - _centre(below) < gap * (len(above) + len(below)) / 2:
                groups[i : i + 2] = [below + above]
                merged = True
                break
    places: list[float] = []
    for group in groups:
        start = _centre(group) - gap * (len(group) - 1) / 2
        places += [start + gap * i for i in range(len(group))]
    return np.array(places)


def _centre(group: list[float]) -> float:
    return sum(group) / len(group)


def _shared_legend(figure: Figure, axes: Axes, n: int) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper left", ncols=min(n, 6), frameon=False, fontsize=9
    )
