"""What a black-box search evaluated: a chart of every trial, a table of the ten best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from nas import draw
from nas.reporting.charts import BEST, TRAIN, VALID, chart, in_percent, svg
from nas.reporting.markup import code, figure, label, section, table
from nas.reporting.ranking import objective_of, ranked
from nas.reporting.records import Record, Recorded, metrics_of, number_of

__all__ = ["trial_chart", "trials_section"]

Values: TypeAlias = "NDArray[np.float64]"

_TOP = 10
_MOST_METRICS = 5  # that a table has room for


def trials_section(run: Recorded) -> str:
    """Write the section on the trials; nothing if there is but one or none was measured.

    A differentiable search has one trial, its result, which is shown already.
    """
    best = ranked(run)[:_TOP]
    if not best or len(run.trials) == 1:
        return ""
    name, sign = objective_of(run)
    image = svg(trial_chart(run.trials, name, sign), f"{name} of every trial", "trials")
    content = f'<figure class="broad">{image}</figure><h3>The best {len(best)}</h3>'
    return section("Trials", f'{content}<div class="wide">{_table(best, name)}</div>')


def _table(best: Sequence[Record], name: str) -> str:
    names = dict.fromkeys([name, *(key for trial in best for key in metrics_of(trial))])
    columns = list(names)[:_MOST_METRICS]
    head = ["", "trial", *map(label, columns), "time", "architecture"]
    rows = [
        [str(rank), str(trial["number"])]
        + [figure(key, metrics_of(trial).get(key, math.nan)) for key in columns]
        + [figure("seconds", number_of(trial.get("seconds"))), code(trial.get("architecture", ""))]
        for rank, trial in enumerate(best, start=1)
    ]
    return table(head, rows)


def trial_chart(trials: Sequence[Record], name: str, sign: int) -> Figure:
    """Draw every trial and the best so far; failures are crosses at the bottom.

    Args:
        trials: In order; the metric was measured of one at least.
        name: The metric.
        sign: 1 if more is better, -1 if less is.
    """
    drawing, axes = chart(name.replace("_", " "), "trial", width=9.6)
    measured = [(t["number"], metrics_of(t)[name]) for t in trials if name in metrics_of(t)]
    numbers, values = np.array(measured, dtype=float).T
    _dots(axes, numbers, values, sign)
    _best_so_far(axes, numbers, values, sign, float(trials[-1]["number"]))
    _failures(axes, [float(t["number"]) for t in trials if t.get("status") == "failed"])
    axes.legend(
        frameon=False, labelcolor=draw.INK, ncols=4, loc="lower right", bbox_to_anchor=(1, 1)
    )
    in_percent(axes, name)
    return drawing


def _dots(axes: Axes, numbers: Values, values: Values, sign: int) -> None:
    """Draw a dot a trial; the worst may lie beyond the edge, where a triangle points to them."""
    edge = _edge(sign * values)
    beyond = sign * values < edge
    style: Any = {"color": TRAIN, "lw": 0}
    axes.scatter(numbers[~beyond], values[~beyond], s=14, label="trial", **style)
    if beyond.any():
        ends = np.full(int(beyond.sum()), sign * edge)
        style |= (
            {"marker": "v", "label": "lower"} if sign > 0 else {"marker": "^", "label": "higher"}
        )
        axes.scatter(numbers[beyond], ends, s=20, alpha=0.45, **style)


def _edge(scores: Values) -> float:
    """The score below which a few failures would flatten all that matters."""
    top, low, least = (float(np.quantile(scores, q)) for q in (1, 0.15, 0))
    return low if top - least > 3 * (top - low) > 0 else least


def _best_so_far(axes: Axes, numbers: Values, values: Values, sign: int, last: float) -> None:
    best = sign * np.maximum.accumulate(sign * values)
    steps = np.append(numbers, last), np.append(best, best[-1])
    axes.step(*steps, where="post", color=BEST, lw=1.8, label="best so far")


def _failures(axes: Axes, numbers: Sequence[float]) -> None:
    if numbers:
        crosses: Any = {"marker": "x", "s": 18, "color": VALID, "lw": 1.2, "label": "failed"}
        floor = axes.get_xaxis_transform()
        axes.scatter(numbers, np.full(len(numbers), 0.03), transform=floor, **crosses)
