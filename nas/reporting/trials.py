"""What a black-box search evaluated: a chart of every trial, tables of the best and of all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from nas.drawing import INK
from nas.objective import Goal, Objective
from nas.reporting.charts import BEST, TRAIN, VALID, chart, hollow, in_percent, svg
from nas.reporting.markup import code, details, figure, label, section, table
from nas.reporting.ranking import broken_limit, failure, objective_of, ranked
from nas.reporting.records import Record, Recorded, metrics_of, number_of
from nas.timeouts import EvaluationTimeout

__all__ = ["trial_chart", "trials_section"]

Values: TypeAlias = "NDArray[np.float64]"

_TOP = 10
_MOST_METRICS = 5  # that a table has room for
_MOST_TRIALS = 1000  # that a page has room for
_TIMEOUT = EvaluationTimeout.__name__


def trials_section(run: Recorded) -> str:
    """Write the section on the trials: a chart, the ten best, and all with what became of each.

    A search that has one trial has no section if that is its result, which is shown already.
    """
    best, objective = ranked(run)[:_TOP], objective_of(run)
    if not run.trials or (best and len(run.trials) == 1):
        return ""
    content = ""
    if best:
        name = objective.metric
        image = svg(trial_chart(run.trials, objective), f"{name} of every trial", "trials")
        content = f'<figure class="broad">{image}</figure><h3>The best {len(best)}</h3>'
        content += f'<div class="wide">{_ranking(best, objective)}</div>'
    every = f'<div class="wide">{_every(run.trials[:_MOST_TRIALS], objective)}</div>'
    return section("Trials", content + details(_summary(run.trials, objective), every))


def _wanted(objective: Objective) -> list[str]:
    """Return the metrics of the objective and its limits."""
    goals = [goal.metric for goal in objective.goals]
    return list(dict.fromkeys([*goals, *(limit.metric for limit in objective.limits)]))


def _figures(trial: Record, columns: Sequence[str]) -> list[str]:
    """Return the cells of a trial's metrics, time and architecture."""
    values = [figure(name, metrics_of(trial).get(name, math.nan)) for name in columns]
    seconds = figure("seconds", number_of(trial.get("seconds")))
    return [*values, seconds, code(trial.get("architecture", ""))]


def _ranking(best: Sequence[Record], objective: Objective) -> str:
    wanted = _wanted(objective)
    names = dict.fromkeys([*wanted, *(name for trial in best for name in metrics_of(trial))])
    columns = list(names)[: max(_MOST_METRICS, len(wanted))]
    rows = [
        [str(rank), str(trial["number"]), *_figures(trial, columns)]
        for rank, trial in enumerate(best, start=1)
    ]
    return table(["", "trial", *map(label, columns), "time", "architecture"], rows)


def _summary(trials: Sequence[Record], objective: Objective) -> str:
    """Write how many trials there are, and how many of them do not count."""
    failed = sum(bool(failure(trial, objective)) for trial in trials)
    broken = sum(bool(_refusal(trial, objective)) for trial in trials) - failed
    parts = [f"{failed:,} failed"] if failed else []
    parts += [f"{broken:,} broke a limit"] if broken else []
    cut = f", the first {_MOST_TRIALS:,} of them here" if len(trials) > _MOST_TRIALS else ""
    return f"All {len(trials):,} trials{cut}" + (f": {', '.join(parts)}" if parts else "")


def _refusal(trial: Record, objective: Objective) -> str:
    return failure(trial, objective) or broken_limit(trial, objective)


def _every(trials: Sequence[Record], objective: Objective) -> str:
    columns = _wanted(objective)
    rows = [[_name(t), _state(t, objective), *_figures(t, columns)] for t in trials]
    return table(["trial", "", *map(label, columns), "time", "architecture"], rows)


def _name(trial: Record) -> str:
    """Write which trial it is, and whence where it was not proposed."""
    words = {"start": "known at the start", "leader": "evaluated again"}
    origin = words.get(str(trial.get("origin", "")), "")
    return f"{trial['number']}, {origin}" if origin else str(trial["number"])


def _state(trial: Record, objective: Objective) -> str:
    """Write what became of a trial: a coloured word, and the reason where it does not count."""
    if reason := failure(trial, objective):
        word = "timed out" if reason.startswith(_TIMEOUT) else "failed"
        return f'<span class="chip failed">{word}</span>{escape(reason)}'
    if reason := broken_limit(trial, objective):
        return f'<span class="chip refused">breaks a limit</span>{escape(reason)}'
    return '<span class="chip finished">ok</span>'


def trial_chart(trials: Sequence[Record], objective: Objective) -> Figure:
    """Draw every trial and the best so far; what does not count is told apart by its mark.

    Args:
        trials: In order; one at least was measured and keeps the limits.
        objective: Of whose first metric the chart is.
    """
    goal = objective.goals[0]
    drawing, axes = chart(goal.metric.replace("_", " "), "trial", width=9.6)
    measured = [trial for trial in trials if not failure(trial, objective)]
    refused = [trial for trial in measured if broken_limit(trial, objective)]
    kept = [trial for trial in measured if not broken_limit(trial, objective)]
    numbers, values = _places(kept, goal)
    _dots(axes, numbers, values, goal.sign)
    if refused:
        axes.scatter(*_places(refused, goal), label="breaks a limit", **hollow())
    _best_so_far(axes, numbers, values, goal.sign, float(trials[-1]["number"]))
    _failures(axes, [float(t["number"]) for t in trials if failure(t, objective)])
    axes.legend(frameon=False, labelcolor=INK, ncols=5, loc="lower right", bbox_to_anchor=(1, 1))
    in_percent(axes, goal.metric)
    return drawing


def _places(trials: Sequence[Record], goal: Goal) -> tuple[Values, Values]:
    """Return the numbers of trials and their values, [n] each; of those that have one."""
    trials = [trial for trial in trials if goal.metric in metrics_of(trial)]
    numbers = np.array([trial["number"] for trial in trials], dtype=np.float64)
    return numbers, np.array([metrics_of(trial)[goal.metric] for trial in trials])


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
