"""Explanations of runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.errors import NasError
from nas.explain.explanation import ExplainSettings, Explanation, explain
from nas.explain.picture import draw_explanation
from nas.explain.table import as_text
from nas.objective import Goal
from nas.run import Run
from nas.settings import fill

__all__ = ["explain_run", "run_explain"]


def explain_run(run: Run, settings: ExplainSettings | None = None) -> Explanation:
    """Tell which sub-structures raise and lower a metric of a run's architectures.

    Args:
        run: A run whose trials were measured.
        settings: Which metric, and what is left out.

    Raises:
        NasError: If the metric was not measured, or of too few architectures.
    """
    settings = settings or ExplainSettings()
    goal = Goal(settings.metric) if settings.metric else run.objective.goals[0]
    trials, latest = run.trials(), run.latest(goal.metric)
    measured = [trial for trial in trials if trial.measurement.ok]
    if trials and not measured:
        raise NasError(f"{run.folder}: none of {len(trials)} architectures could be evaluated")
    values = [goal.value(trial.measurement) for trial in latest or measured]
    architectures = [trial.architecture for trial in latest]
    failed = len(trials) - len(measured)
    return explain(run.space, architectures, values, goal, settings, failed)


def run_explain(
    folder: Path | str, out: Path | None = None, options: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Explain a run: what `nas explain` does.

    Args:
        folder: The run's.
        out: Where to draw the sub-structures (.png, .svg or .pdf); None draws nothing.
        options: Fields of `ExplainSettings` and their values.

    Returns:
        The explanation as plain values, "text" (for the terminal) and, if drawn, "picture".

    Raises:
        NasError: If there is no such run, an option is unknown, or nothing can be explained.
    """
    settings = fill(ExplainSettings, options or {}, "explain")
    explanation = explain_run(Run(folder), settings)
    result = explanation.to_json() | {"text": as_text(explanation, settings.top)}
    if out is not None:
        result["picture"] = str(draw_explanation(explanation, out, settings.top))
    return result
