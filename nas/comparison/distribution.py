"""How good the networks of a space are as a whole: distributions of error over random ones.

Sources: Radosavovic et al., On Network Design Spaces for Visual Recognition, ICCV 2019,
arXiv:1905.13214, secs. 3.1 and 3.3; Designing Network Design Spaces, CVPR 2020, arXiv:2003.13678,
sec. 3.1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas.errors import NasError
from nas.objective import Goal
from nas.run import Run, Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Distribution", "draw_edf", "edf", "run_edf"]

Floats = NDArray[np.float64]

ERROR = "accuracy"
"""The metric of which the error is what is missing to 1."""


@dataclass(frozen=True, eq=False)
class Distribution:
    """An empirical distribution function of errors.

    Args:
        label: Of which space, and by which strategy its architectures were drawn.
        errors: Of every architecture, ascending, [n].
        weights: Of every architecture, with the sum 1, [n].
        failed: Architectures that could not be evaluated; they are left out.
    """

    label: str
    errors: Floats
    weights: Floats
    failed: int = 0

    def share(self, error: float) -> float:
        """Return F(e), the share of architectures whose error is less than e."""
        return float(self.weights[self.errors < error].sum())

    def quantile(self, share: float) -> float:
        """Return the smallest error such that a share of architectures, by weight, has no more."""
        reached = int(np.searchsorted(self.weights.cumsum(), max(share, 1e-9) - 1e-12))
        return float(self.errors[min(reached, len(self.errors) - 1)])


def edf(
    runs: Sequence[Run | Path | str],
    metric: str = ERROR,
    complexity: str | None = None,
    bins: int = 10,
) -> list[Distribution]:
    """Return the distribution of error of each of several runs.

    A run of strategy `random` is a sample of its space. That of another strategy is a sample of
    what this one proposes; the labels say which it is.

    Args:
        runs: Runs or their folders.
        metric: `accuracy` (the error is 1 - accuracy), or one to minimise with a minus: `-loss`.
        complexity: None weighs all architectures alike. Otherwise a metric such as `params`: the
            range that all runs have is cut into bins, those that are empty in a run are left out,
            and the architectures of each bin weigh as much as those of any other together.
        bins: How many.

    Raises:
        NasError: If there are no runs or results, or a metric was not measured.
    """
    opened = [run if isinstance(run, Run) else Run(run) for run in runs]
    if not opened:
        raise NasError("a distribution of errors needs at least one run")
    if bins < 1:
        raise NasError(f"bins={bins}: at least 1 is needed")
    measured = [[t for t in run.trials() if _is_measured(run, t)] for run in opened]
    for run, trials in zip(opened, measured, strict=True):
        if not trials:
            raise NasError(f"{run.folder} has no evaluated architectures")
    weights = [np.full(len(trials), 1 / len(trials)) for trials in measured]
    if complexity is not None:
        weights = _evened([_complexities(complexity, trials) for trials in measured], bins)
    found = []
    for run, trials, own in zip(opened, measured, weights, strict=True):
        errors = _errors(metric, trials)
        order = errors.argsort(kind="stable")
        failed = sum(not trial.measurement.ok for trial in run.trials())
        label = f"{run.space.name} ({len(trials)} by {run.config.get('strategy', 'unknown')})"
        found.append(Distribution(label, errors[order], own[order], failed))
    return _told_apart(found, opened)


def _is_measured(run: Run, trial: Trial) -> bool:
    """Tell whether a trial of a search is no failure, nor what broke a limit told first."""
    proposed = trial.origin == "search"
    return proposed and trial.measurement.ok and run.objective.measures(trial.measurement)


def _errors(metric: str, trials: Sequence[Trial]) -> Floats:
    goal = Goal(metric)
    if goal.sign > 0 and goal.metric != ERROR:
        raise NasError(f"'{metric}' is no error: {ERROR}, or one to minimise such as -loss")
    values = _values(goal, trials)
    return 1 - values if goal.sign > 0 else values


def _values(goal: Goal, trials: Sequence[Trial]) -> Floats:
    return np.array([goal.value(trial.measurement) for trial in trials], dtype=np.float64)


def _complexities(metric: str, trials: Sequence[Trial]) -> Floats:
    try:
        return _values(Goal(metric), trials)
    except NasError as error:
        advice = f"a search measures it where a limit names it: --limit '{metric}>=0'"
        raise NasError(f"{str(error).replace('objective', 'complexity', 1)}; {advice}") from error


def _evened(complexities: Sequence[Floats], bins: int) -> list[Floats]:
    """Return weights such that all runs have the same distribution of complexity: even bins."""
    low, high = max(c.min() for c in complexities), min(c.max() for c in complexities)
    if low > high:
        raise NasError("the runs have no range of complexity in common")
    edges = np.linspace(low, high, bins + 1)
    places = [np.digitize(c, edges[1:-1]) for c in complexities]
    inside = [(low <= c) & (c <= high) for c in complexities]
    counts = [
        np.bincount(place[kept], minlength=bins) for place, kept in zip(places, inside, strict=True)
    ]
    shared = np.all([count > 0 for count in counts], axis=0)
    if not shared.any():
        raise NasError("the runs have no bin of complexity in common; take fewer bins")
    return [
        np.where(kept & shared[place], 1 / (shared.sum() * np.maximum(count, 1)[place]), 0.0)
        for place, kept, count in zip(places, inside, counts, strict=True)
    ]


def _told_apart(found: list[Distribution], runs: Sequence[Run]) -> list[Distribution]:
    """Add the folder to labels that several have."""
    times = Counter(one.label for one in found)
    return [
        replace(one, label=f"{one.label} {run.folder.name}") if times[one.label] > 1 else one
        for one, run in zip(found, runs, strict=True)
    ]


# -- drawing --------------------------------------------------------------------------------------


def draw_edf(
    distributions: Sequence[Distribution], path: Path | str, metric: str = ERROR, dpi: int = 200
) -> Path:
    """Draw distribution functions in one figure; the further to the left, the better the space.

    Args:
        distributions: What `edf` returns.
        path: Where to write; the suffix decides the format: `.png`, `.svg` or `.pdf`.
        metric: As for `edf`.
        dpi: Dots per inch of a PNG.

    Raises:
        NasError: The path cannot be written.
    """
    from nas.drawing import save

    return save(lambda: _figure(distributions, metric), path, dpi)


def _figure(distributions: Sequence[Distribution], metric: str) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    from nas.drawing import COLOURS, EDGE, INK

    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    hues = [COLOURS[name] for name in ("conv", "attention", "pool", "linear", "norm", "skip")]
    dashes: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)))
    largest = max(float(one.errors[one.weights > 0].max()) for one in distributions)
    for number, one in enumerate(distributions):
        errors, shares = one.errors[one.weights > 0], one.weights[one.weights > 0].cumsum()
        x = np.concatenate([errors[:1], errors, [largest]])
        y = np.concatenate([[0.0], shares, [1.0]])
        look = {"color": hues[number % len(hues)], "ls": dashes[number // len(hues) % len(dashes)]}
        axes.plot(x, y, drawstyle="steps-post", lw=1.6, label=one.label, **look)
    axes.set_xlabel("error" if metric == ERROR else Goal(metric).metric, color=EDGE, size=9)
    axes.set_ylabel("share of architectures with less", color=EDGE, size=9)
    if metric == ERROR:
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_ylim(0, 1.02)
    axes.tick_params(colors=EDGE, labelsize=8.5, length=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e3e6eb", lw=0.8)
    axes.legend(frameon=False, fontsize=8.5, labelcolor=INK)
    return figure


# -- the command ----------------------------------------------------------------------------------


def run_edf(
    folders: Sequence[Path | str],
    out: Path | None = None,
    metric: str = ERROR,
    complexity: str | None = None,
    bins: int = 10,
) -> dict[str, Any]:
    """Compare the distributions of error of runs: what `nas edf` does.

    Args:
        folders: Of the runs.
        out: Where to draw (.png, .svg or .pdf); None draws nothing.
        metric, complexity, bins: As for `edf`.

    Returns:
        "distributions" (label, architectures, failed, quantiles), "text" (for the terminal) and,
        if drawn, "picture".
    """
    found = edf(folders, metric, complexity, bins)
    rows = [
        {
            "label": one.label,
            "architectures": len(one.errors),
            "failed": one.failed,
            "best": one.quantile(0.0),
            "quartiles": [one.quantile(share) for share in (0.25, 0.5, 0.75)],
        }
        for one in found
    ]
    result: dict[str, Any] = {"distributions": rows, "text": _text(rows, metric, complexity)}
    if out is not None:
        result["picture"] = str(draw_edf(found, out, metric))
    return result


def _text(rows: Sequence[dict[str, Any]], metric: str, complexity: str | None) -> str:
    what = "error (1 - accuracy)" if metric == ERROR else Goal(metric).metric
    evened = f", architectures weighed to even {complexity}" if complexity else ""
    width = max(len(row["label"]) for row in rows)
    lines = [f"distribution of {what}{evened}", ""]
    lines.append(f"{'':{width}}  {'best':>8} {'25 %':>8} {'median':>8} {'75 %':>8}")
    for row in rows:
        numbers = " ".join(f"{value:8.4f}" for value in (row["best"], *row["quartiles"]))
        failed = f"  {row['failed']} failed" if row["failed"] else ""
        lines.append(f"{row['label']:{width}}  {numbers}{failed}")
    return "\n".join(lines)
