"""What a search for several metrics found: the Pareto front, drawn among all trials and listed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from nas.drawing import EDGE, INK
from nas.objective import Goal, Objective
from nas.reporting.charts import BEST, TRAIN, chart, hollow, numbers, svg
from nas.reporting.markup import code, figure, label, section, table
from nas.reporting.ranking import broken_limit, failure, front, objective_of
from nas.reporting.records import Record, Recorded, metrics_of

__all__ = ["front_chart", "front_section"]

Points: TypeAlias = "NDArray[np.float64]"
Values: TypeAlias = "NDArray[np.float64]"

_WIDE = 30.0  # a range of costs, largest by smallest, that needs a logarithmic axis
_WORST = 0.05  # the share of trials that may lie beyond an edge
_MARGIN = 0.05


def front_section(run: Recorded) -> str:
    """Write the section on the Pareto front; nothing for one metric or if none was measured."""
    objective, best = objective_of(run), front(run)
    if len(objective.goals) < 2 or not best:
        return ""
    plane = " and ".join(goal.metric.replace("_", " ") for goal in objective.goals[:2])
    image = svg(front_chart(run), f"{plane} of every trial, with the Pareto front", "front")
    about = (
        f"{_count(len(best))} of {len(run.trials):,}: no other trial is as good in every metric "
        "and better in one."
    )
    content = f'<figure class="broad">{image}</figure><p>{about}</p>'
    return section("Pareto front", f'{content}<div class="wide">{_table(best, objective)}</div>')


def _count(n: int) -> str:
    return f"{n:,} trial{'s' if n > 1 else ''}"


def _table(best: Sequence[Record], objective: Objective) -> str:
    names = [goal.metric for goal in objective.goals]
    names += [limit.metric for limit in objective.limits]
    columns = list(dict.fromkeys(names))
    rows = [
        [str(trial["number"])]
        + [figure(name, metrics_of(trial)[name]) for name in columns]
        + [code(trial.get("architecture", ""))]
        for trial in best
    ]
    return table(["trial", *map(label, columns), "architecture"], rows)


def front_chart(run: Recorded) -> Figure:
    """Draw all trials in the plane of the first two metrics: the first upwards, the second across.

    Through the front goes the edge of what it dominates, where these two are all the metrics.

    Args:
        run: Of a search for several metrics, of which one trial at least was measured.
    """
    objective = objective_of(run)
    up, across = objective.goals[:2]
    title = f"{up.metric} against {across.metric}".replace("_", " ")
    drawing, axes = chart(title, _axis(across), width=9.6, height=3.9)
    axes.set_ylabel(_axis(up), color=EDGE, size=9)
    measured = [trial for trial in run.trials if not failure(trial, objective)]
    refused = [trial for trial in measured if broken_limit(trial, objective)]
    best = front(run)
    apart = {trial["number"] for trial in [*refused, *best]}
    others = [trial for trial in measured if trial["number"] not in apart]
    _scatter(axes, _points(refused, up, across), "breaks a limit", **hollow())
    _scatter(axes, _points(others, up, across), "trial", color=TRAIN, s=16, lw=0, alpha=0.6)
    points = _points(best, up, across)
    if len(objective.goals) == 2:
        _edge(axes, points, up, across)
    more = "" if len(objective.goals) == 2 else f" of all {len(objective.goals)} metrics"
    _scatter(axes, points, f"Pareto front{more}", color=BEST, s=34, lw=0.8, zorder=4)
    kept = _points([*others, *best], up, across)
    for column, goal in enumerate((across, up)):
        _frame(axes, "y" if column else "x", goal, kept[:, column], points[:, column])
    if beyond := _beyond(axes, _points(measured, up, across)):
        below: Any = {"xytext": (0, -19), "textcoords": "offset points", "ha": "right", "va": "top"}
        text = f"{beyond:,} beyond the edges"
        axes.annotate(text, (1, 0), xycoords="axes fraction", color=EDGE, size=8, **below)
    axes.legend(frameon=False, labelcolor=INK, ncols=3, loc="lower right", bbox_to_anchor=(1, 1))
    return drawing


def _axis(goal: Goal) -> str:
    return f"{goal.metric.replace('_', ' ')} ({'less' if goal.sign < 0 else 'more'} is better)"


def _points(trials: Sequence[Record], up: Goal, across: Goal) -> Points:
    """Return where trials lie, [n, 2]: across, up."""
    rows = [[metrics_of(t)[across.metric], metrics_of(t)[up.metric]] for t in trials]
    return np.array(rows, dtype=float).reshape(-1, 2)


def _scatter(axes: Axes, points: Points, name: str, **style: Any) -> None:
    if len(points):
        axes.scatter(*points.T, label=name, **style)


def _edge(axes: Axes, points: Points, up: Goal, across: Goal) -> None:
    """Draw the edge of what the front dominates: a stair from each of its points to the next."""
    points = points[np.argsort(-across.sign * points[:, 0], kind="stable")]
    # From the best across to the worst, `up` gets better: it does so only at the next point.
    axes.step(*points.T, where="post", color=BEST, lw=1.4, alpha=0.7, zorder=3)


def _frame(axes: Axes, which: Literal["x", "y"], goal: Goal, values: Values, front: Values) -> None:
    """Set what an axis shows: all that counts, but for a few that would flatten the rest.

    Args:
        axes: Whose axis.
        which: Which one.
        goal: What it shows.
        values: Of the trials that count.
        front: Those of the front, which must be seen.
    """
    logarithmic = bool(goal.sign < 0 and 0 < _WIDE * values.min() < values.max())
    scores, needed = (goal.sign * (np.log(v) if logarithmic else v) for v in (values, front))
    top, low, least = (float(np.quantile(scores, q)) for q in (1, _WORST, 0))
    low = min(low, float(needed.min()))
    edge = low if top - least > 2 * (top - low) > 0 else least
    if top > edge:
        margin = _MARGIN * (top - edge)
        limits = np.sort(goal.sign * np.array([edge - margin, top + margin]))
        axes.set(**{f"{which}lim": np.exp(limits) if logarithmic else limits})
    numbers(axes, which, goal.metric, logarithmic)


def _beyond(axes: Axes, points: Points) -> int:
    """Count the points that are not seen."""
    low, high = np.transpose([axes.get_xlim(), axes.get_ylim()])
    return int(((points < low) | (points > high)).any(1).sum())
