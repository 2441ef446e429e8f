"""A figure of a comparison: regret over the search, one panel a benchmark."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from nas.comparison.curves import Band
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
_LETTER = 0.075  # inches, of a name


def style(at: int) -> dict[str, Any]:
    """Return the colour and dash of the line number `at`, from 0."""
    return {"color": HUES[at % len(HUES)], "ls": _DASHES[at // len(HUES) % len(_DASHES)]}


@dataclass(frozen=True)
class _Shown:
    """What a panel shows.

    Args:
        found: The benchmark.
        label: Of what the regret is.
        percent: Whether it is a share.
        described: Which column that is, in words.
        bands: Strategy -> its mean regret.
    """

    found: OnBenchmark
    label: str
    percent: bool
    described: str
    bands: dict[str, Band]


def draw_regret(summary: Summary, files: list[Path], reported: bool = False) -> None:
    """Draw mean regret with its band, for every strategy on every benchmark.

    Args:
        summary: Of the comparison.
        files: Where to write; the suffix decides the format: `.png` or `.pdf`.
        reported: Whether to draw the regret of the first metric that is reported, instead of that
            of what was searched; nothing is drawn where nothing is reported.
    """
    panels = {
        name: shown
        for name, found in summary.benchmarks.items()
        if (shown := _reported(found) if reported else _searched(found)) is not None
    }
    if panels:
        _draw(summary, panels, files)


def _searched(found: OnBenchmark) -> _Shown:
    facts = found.facts
    bands = {strategy: result.mean for strategy, result in found.results.items()}
    percent = facts.metric in facts.shares
    return _Shown(found, facts.label, percent, facts.described[0], bands)


def _reported(found: OnBenchmark) -> _Shown | None:
    metric = next(iter(found.facts.reported), "")
    bands = {
        strategy: result.reported_regrets[metric].mean()
        for strategy, result in found.results.items()
        if metric in result.reported_regrets
    }
    percent = metric in found.facts.shares
    return _Shown(found, metric, percent, found.facts.described[1], bands) if bands else None


def _draw(summary: Summary, panels: dict[str, _Shown], files: list[Path]) -> None:
    n = len(panels)
    columns = 2 if n == 4 else min(n, _COLUMNS)
    rows = -(-n // columns)
    size = (3.5 * columns, 2.9 * rows + 0.7)
    if n == 1:  # names stand beside the lines
        longest = max(map(len, summary.comparison.strategies))
        size = (6.6 + _LETTER * max(0, longest - 20), 4.2)
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    styles = {strategy: style(at) for at, strategy in enumerate(summary.comparison.strategies)}
    for panel, (name, shown) in zip(axes, panels.items(), strict=False):
        _panel(panel, name, shown, styles, direct=n == 1)
    for panel in axes[n:]:
        panel.set_visible(False)
    if n > 1:
        _shared_legend(figure, axes[0])
    figure.supxlabel(_caption(summary), size=7, color=EDGE, x=0.01, ha="left")
    for file in files:
        with atomic(file) as stream:
            figure.savefig(stream, format=file.suffix[1:], dpi=200)


def _caption(summary: Summary) -> str:
    comparison = summary.comparison
    n = max(r.regret.n for one in summary.benchmarks.values() for r in one.results.values())
    done = f"{budget_text(comparison.budget)}, {comparison.protocol}"
    if n == 1:
        return f"a single repeat of {done}"
    return f"mean of {n} repeats of {done}; bands: 95 % interval of the mean (Student's t)"


def _panel(
    axes: Axes, name: str, panel: _Shown, styles: dict[str, dict[str, Any]], direct: bool
) -> None:
    x, unit = _abscissa(panel.found)
    scale = 100.0 if panel.percent else 1.0
    floor = _floor(panel) * scale
    ends = {}
    for strategy, band in panel.bands.items():
        look = styles[strategy]
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
    _dress(axes, name, panel, unit or panel.found.axis.kind, 100 if direct else 48)
    if direct:
        _label_ends(axes, ends, styles)


def _abscissa(found: OnBenchmark) -> tuple[Floats, str | None]:
    points = found.axis.points
    if found.axis.kind == "evaluations":
        return points, None
    if points[-1] > _HOUR:
        return points / _HOUR, "simulated hours"
    return points, "simulated seconds"


def _floor(panel: _Shown) -> float:
    """Return what a regret of zero is drawn at, on a logarithmic axis: below all that is not."""
    values = np.concatenate([band.middle for band in panel.bands.values()])
    above = values[values > 0]
    return float(above.min()) / 2 if len(above) else 1e-6


def _dress(axes: Axes, name: str, panel: _Shown, x: str, width: int) -> None:
    """Write what a panel shows; `width` is that of its subtitle, in letters."""
    lines = textwrap.wrap(panel.described, width)
    pad = 9 + 9 * len(lines)
    axes.set_title(name, loc="left", size=10, weight="bold", color=INK, pad=pad, parse_math=False)
    axes.annotate(
        "\n".join(lines), (0, 1), (0, 6), xycoords="axes fraction", textcoords="offset points",
        size=7, color=EDGE, parse_math=False, in_layout=False,
    )  # fmt: skip
    axes.set_xlabel(x, size=9, color=INK)
    unit = "\n(percentage points)" if panel.percent else ""
    axes.set_ylabel(f"regret of {panel.label.replace('_', ' ')}{unit}", size=9, color=INK)
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


def _shared_legend(figure: Figure, axes: Axes) -> None:
    """Write names above all panels, as many beside each other as the figure is wide."""
    handles, labels = axes.get_legend_handles_labels()
    wide = figure.get_figwidth() / (_LETTER * max(map(len, labels)) + 0.6)
    columns = min(len(labels), 6, max(1, int(wide)))
    figure.legend(
        handles, labels, loc="outside upper left", ncols=columns, frameon=False, fontsize=9
    )
