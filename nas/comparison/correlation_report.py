"""The report of evaluators against a table: text, a scatter plot a metric, JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
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
        "architectures": correlation.n,
        "baseline": correlation.baseline,
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
    """Write two tables a metric, best evaluators first: agreement, and against the baseline."""
    head = (
        f"{correlation.facts.name}: {correlation.n} of {correlation.facts.architectures:,} "
        f"architectures, the same for all evaluators; predictors were\nfitted to "
        f"{correlation.trained_on} others. What an evaluator failed to judge ranks last, as in a "
        "search."
    )
    blocks = [head]
    for metric in correlation.targets:
        order = _by_kendall(correlation, metric)
        blocks.append(_block(correlation, metric, order))
        if correlation.baseline is not None:
            blocks.append(_against(correlation.baseline, metric, order))
    if correlation.baseline is None:
        blocks.append(_NO_BASELINE)
    blocks.append(
        f"Intervals: {INTERVAL}.\nSparse: Kendall's tau with the table's values rounded to 0.1 %. "
        "Names without a colon that the table has\n(params, flops ...) are its columns: the "
        "baselines that an evaluator must beat."
    )
    return "\n\n".join(blocks) + "\n"


_NO_BASELINE = (
    "Nothing tells the number of parameters here, neither the table nor the evaluator\n"
    "proxy:params: no evaluator is compared with it."
)


def _by_kendall(correlation: Correlation, metric: str) -> list[tuple[str, Judged]]:
    def key(item: tuple[str, Judged]) -> float:
        found = item[1].agreements.get(metric)
        return -found.kendall.value if found and not math.isnan(found.kendall.value) else 2.0

    return sorted(correlation.judged.items(), key=key)


def _block(correlation: Correlation, metric: str, order: Sequence[tuple[str, Judged]]) -> str:
    known = [judged.agreements[metric] for _, judged in order if judged.agreements]
    k = max((found.k for found in known), default=0)
    heading = ["evaluator", "Spearman", "95 % interval", "Kendall", "95 % interval", "sparse"]
    heading += [f"precision at {k}", "failed", "seconds each"]
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


def _against(baseline: str, metric: str, order: Sequence[tuple[str, Judged]]) -> str:
    """Write how much more every evaluator agrees than the baseline."""
    vs = f"vs {baseline}"
    heading = ["", f"Spearman {vs}", "95 % interval", f"Kendall {vs}", "95 % interval"]
    rows = []
    for name, judged in order:
        found = judged.agreements.get(metric)
        if found is None or found.versus is None:
            continue
        differences = (found.versus.spearman, found.versus.kendall)
        rows.append([name, *(cell for one in differences for cell in _with_interval(one, "+"))])
    return "\n".join(aligned([heading, *rows])) if rows else f"nothing else to compare with {vs}"


def _number(value: float, sign: str = "") -> str:
    return "-" if math.isnan(value) else f"{value:{sign}.3f}"


def _with_interval(found: Estimate, sign: str = "") -> list[str]:
    interval = f"{_number(found.low, sign)} to {_number(found.high, sign)}"
    return [_number(found.value, sign), interval]


# -- figure -----------------------------------------------------------------------------------


def draw_scatter(correlation: Correlation, metric: str, file: Path) -> None:
    """Draw true values over the rank of the score, one panel an evaluator.

    What it could not judge ranks last: crosses.

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
    failed = "; crosses could not be judged" if any(one.failed for _, one in shown) else ""
    figure.supxlabel(f"rank by score (worst to best){failed}{below}", size=9, color=INK)
    with atomic(file) as stream:
        figure.savefig(stream, format="png", dpi=200)


def _floor(values: Floats) -> float:
    """Return the lowest value that is shown to scale: a few that are far below would hide all."""
    least, few, most = (float(value) for value in np.quantile(values, [0, 0.05, 1]))
    return few if most - least > 2 * (most - few) else least


def _scatter(
    axes: Axes, name: str, judged: Judged, values: Floats, metric: str, share: bool
) -> None:
    failed = np.isnan(judged.scores)
    ranks = (rankdata(np.where(failed, -np.inf, judged.scores)) - 0.5) / len(failed)
    unit = 100 if share else 1
    y, floor = np.maximum(values, _floor(values)) * unit, _floor(values)
    low = (values < floor) & ~failed
    high = ~low & ~failed
    axes.scatter(ranks[high], y[high], s=7, color=HUES[0], alpha=0.45, lw=0, zorder=3)
    look: Any = {"color": HUES[1], "alpha": 0.6, "zorder": 3, "clip_on": False}
    axes.scatter(ranks[low], y[low], marker="v", s=12, lw=0, **look)
    axes.scatter(ranks[failed], y[failed], marker="x", s=12, lw=0.9, **look)
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
