"""The report of evaluators against a table: text, a scatter plot a metric, JSON."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import rankdata

from nas.comparison.agreement import INTERVAL, Agreement, Estimate
from nas.comparison.correlation import Correlation, Judged
from nas.comparison.plot import GRID, HUES
from nas.comparison.text import aligned
from nas.drawing import EDGE, INK
from nas.storage import atomic, write_json

__all__ = ["correlation_text", "draw_scatter", "write_correlation"]

Floats = NDArray[np.float64]

_COLUMNS = 4


def write_correlation(correlation: Correlation) -> str:
    """Write `correlation.txt`, `scatter-METRIC.png` and `correlation.json`; return the text."""
    folder, text = correlation.folder, correlation_text(correlation)
    with atomic(folder / "correlation.txt") as stream:
        stream.write(text.encode())
    write_json(folder / "correlation.json", _json(correlation))
    for metric in correlation.targets:
        draw_scatter(correlation, metric, folder / f"scatter-{metric.replace('/', '-')}.png")
    return text


def _json(correlation: Correlation) -> dict[str, Any]:
    return {
        "benchmark": correlation.facts.to_json(),
        "intervals": INTERVAL,
        "targets": {
            metric: {"column": correlation.described[metric], "values": values.tolist()}
            for metric, values in correlation.targets.items()
        },
        "evaluators": {
            name: {
                "scores": [None if math.isnan(s) else s for s in judged.scores.tolist()],
                "failed": judged.failed,
                "seconds": judged.seconds,
                "agreements": {m: _plain(a) for m, a in judged.agreements.items()},
            }
            for name, judged in correlation.judged.items()
        },
    }


def _plain(found: Agreement) -> dict[str, Any]:
    def without_nan(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: without_nan(inner) for key, inner in value.items()}
        return None if isinstance(value, float) and math.isnan(value) else value

    plain: dict[str, Any] = without_nan(dataclasses.asdict(found))
    return plain


# -- text -------------------------------------------------------------------------------------


def correlation_text(correlation: Correlation) -> str:
    """Write a table a metric, the evaluators that agree best first."""
    n = len(next(iter(correlation.targets.values())))
    head = (
        f"{correlation.facts.name}: {n} of {correlation.facts.architectures:,} architectures; "
        f"predictors were fitted to {correlation.trained_on} others"
    )
    blocks = [head, *(_block(correlation, metric) for metric in correlation.targets)]
    blocks.append(
        f"Intervals: {INTERVAL}. Sparse: Kendall's tau with the\ntable's values rounded to 0.1 %. "
        "Names without a colon that the table has (params, flops ...) are its\ncolumns: the "
        "baselines that an evaluator must beat."
    )
    return "\n\n".join(blocks) + "\n"


def _block(correlation: Correlation, metric: str) -> str:
    known = [j.agreements[metric] for j in correlation.judged.values() if j.agreements]
    k = max((found.k for found in known), default=0)
    heading = ["evaluator", "Spearman", "95 % interval", "Kendall", "95 % interval", "sparse"]
    heading += [f"precision at {k}", "failed", "seconds each"]
    order = sorted(
        correlation.judged.items(),
        key=lambda item: -(item[1].agreements[metric].kendall.value if item[1].agreements else -2),
    )
    rows = [_row(name, judged, metric) for name, judged in order]
    title = f"against {metric.replace('_', ' ')}: {correlation.described[metric]}"
    return "\n".join([title, "", *aligned([heading, *rows])])


def _row(name: str, judged: Judged, metric: str) -> list[str]:
    tail = [str(judged.failed or ""), f"{judged.seconds:.2g}" if judged.seconds else ""]
    found = judged.agreements.get(metric)
    if found is None:
        return [name, *["-"] * 6, *tail]
    sparse = "" if found.sparse is None else _number(found.sparse.value)
    numbers = [*_with_interval(found.spearman), *_with_interval(found.kendall), sparse]
    return [name, *numbers, _number(found.top.value), *tail]


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _with_interval(found: Estimate) -> list[str]:
    return [_number(found.value), f"{_number(found.low)} to {_number(found.high)}"]


# -- figure -----------------------------------------------------------------------------------


def draw_scatter(correlation: Correlation, metric: str, file: Path) -> None:
    """Draw true values over the rank of the score, one panel an evaluator.

    Args:
        correlation: What to draw.
        metric: Which true values.
        file: Where to write, a `.png`.
    """
    shown = [(name, one) for name, one in correlation.judged.items() if one.agreements]
    if not shown:
        return
    columns = min(len(shown), _COLUMNS)
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(2.6 * columns + 0.4, 2.3 * rows + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    share = metric in correlation.facts.shares
    lowest = correlation.targets[metric].min()
    for axes, (name, judged) in zip(grid, shown, strict=False):
        _scatter(axes, name, judged, correlation.targets[metric], metric, share)
    for axes in grid[len(shown) :]:
        axes.set_visible(False)
    words = f"{metric.replace('_', ' ')}{' (%)' if share else ''}"
    figure.supylabel(words, size=9, color=INK)
    below = "; triangles lie below" if _floor(correlation.targets[metric]) > lowest else ""
    figure.supxlabel(f"rank by score (worst to best){below}", size=9, color=INK)
    with atomic(file) as stream:
        figure.savefig(stream, format="png", dpi=200)


def _floor(values: Floats) -> float:
    """Return the lowest value that is shown to scale: a few that are far below would hide all."""
    least, few, most = (float(value) for value in np.quantile(values, [0, 0.05, 1]))
    return few if most - least > 2 * (most - few) else least


def _scatter(
    axes: Axes, name: str, judged: Judged, values: Floats, metric: str, share: bool
) -> None:
    there = np.isfinite(judged.scores)
    ranks = (rankdata(judged.scores[there]) - 0.5) / there.sum()
    y, floor = values[there] * (100 if share else 1), _floor(values) * (100 if share else 1)
    low = y < floor
    axes.scatter(ranks[~low], y[~low], s=7, color=HUES[0], alpha=0.45, lw=0, zorder=3)
    look: Any = {"marker": "v", "s": 12, "color": HUES[1], "alpha": 0.6, "lw": 0, "zorder": 3}
    axes.scatter(ranks[low], np.full(low.sum(), floor), **look)
    found = judged.agreements[metric]
    rho, tau = _number(found.spearman.value), _number(found.kendall.value)
    axes.set_title(name, loc="left", size=9, weight="bold", color=INK, parse_math=False)
    axes.text(
        0.97, 0.04, f"\N{GREEK SMALL LETTER RHO} {rho}   \N{GREEK SMALL LETTER TAU} {tau}",
        transform=axes.transAxes, ha="right", va="bottom", size=8, color=INK,
        bbox={"fc": "white", "ec": "none", "alpha": 0.75, "pad": 1.5}, zorder=4,
    )  # fmt: skip
    axes.set_xlim(0, 1)
    axes.set_xticks([])
    axes.tick_params(colors=EDGE, labelsize=8, length=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(EDGE)
    axes.grid(axis="y", color=GRID, lw=0.8)
    axes.set_axisbelow(True)
