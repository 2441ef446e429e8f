"""Which trial is better: by the run's objective, or by a guess where none is recorded."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from nas.errors import NasError
from nas.objective import Objective, non_dominated, parse_limits
from nas.reporting.records import Record, Recorded, latest_epochs, metrics_of

__all__ = ["broken_limit", "failure", "found", "front", "objective_of", "ranked"]

_LESS_IS_BETTER = re.compile(
    "loss|error|latency|perplexity|seconds|flops|param|memory|mae|mse",
)


def objective_of(run: Recorded) -> Objective:
    """Return what the run searched for, and under which limits."""
    text, limit = run.config.get("objective"), run.config.get("limit")
    try:
        limits = parse_limits(limit) if isinstance(limit, str) else ()
        return Objective(text if isinstance(text, str) else "", limits)
    except NasError:  # none is recorded, or a damaged one
        return _guess(run.trials)


def _guess(trials: Iterable[Record]) -> Objective:
    """Return an accuracy or else the first metric, minimised where its name suggests it."""
    names = list(dict.fromkeys(name for trial in trials for name in metrics_of(trial)))
    names = [name for name in names if "," not in name and name.strip(" -") == name != ""]
    name = next((n for n in names if n.endswith("accuracy")), names[0] if names else "accuracy")
    return Objective(f"-{name}" if _LESS_IS_BETTER.search(name) else name)


def failure(trial: Record, objective: Objective) -> str:
    """Say why there is no measurement of a trial; empty where there is."""
    if trial.get("status") == "failed":
        return str(trial.get("error") or "no reason is recorded")
    if broken_limit(trial, objective):
        return ""  # nothing else of it need be measured
    needed = [goal.metric for goal in objective.goals]
    needed += [limit.metric for limit in objective.limits]
    missing = [name for name in needed if name not in metrics_of(trial)]
    return f"{missing[0]} was not measured" if missing else ""


def broken_limit(trial: Record, objective: Objective) -> str:
    """Say which limit a trial that was measured breaks; empty where it keeps all."""
    metrics = metrics_of(trial)
    told = (limit for limit in objective.limits if limit.metric in metrics)
    return next(filter(None, (limit.refusal(metrics) for limit in told)), "")


def _counting(run: Recorded, objective: Objective) -> list[Record]:
    """Return the trials that were measured and keep the limits; leaders, where there are such."""
    measured = [trial for trial in run.trials if not failure(trial, objective)]
    leaders = [trial for trial in measured if trial.get("origin") == "leader"]
    measured = leaders or measured
    return [trial for trial in measured if not broken_limit(trial, objective)]


def ranked(run: Recorded) -> list[Record]:
    """Return the trials that were measured and keep the limits, the best first."""
    goal = objective_of(run).goals[0]
    trials = _counting(run, objective_of(run))
    return sorted(trials, key=lambda trial: -goal.sign * metrics_of(trial)[goal.metric])


def front(run: Recorded) -> list[Record]:
    """Return the trials that no other beats in all metrics at once, the first metric's best first.

    What breaks a limit is left out.
    """
    goals, trials = objective_of(run).goals, ranked(run)
    if not trials:
        return []
    scores = [[goal.sign * metrics_of(trial)[goal.metric] for goal in goals] for trial in trials]
    return [trials[row] for row in np.flatnonzero(non_dominated(np.array(scores)))]


def found(run: Recorded) -> Record:
    """Return the result: `best.json` or, while there is none, the best trial or last epoch's."""
    if run.best:
        return run.best
    for record in [*ranked(run)[:1], *reversed(latest_epochs(run.events))]:
        if record.get("architecture"):
            return {"text": record["architecture"], "metrics": record.get("metrics")}
    return {}
