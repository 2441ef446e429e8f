"""Which trial is better: by the run's objective, or by a guess where none is recorded."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from nas.objective import Objective, parse_limits
from nas.reporting.records import Record, Recorded, latest_epochs, metrics_of

__all__ = ["found", "objective_of", "ranked"]

_LESS_IS_BETTER = re.compile(
    "loss|error|latency|perplexity|seconds|flops|param|memory|mae|mse",
)


def objective_of(run: Recorded) -> tuple[str, int]:
    """Return the metric that trials are ranked by, and its sign: 1 if more is better, else -1."""
    text = run.config.get("objective")
    if isinstance(text, str) and text.removeprefix("-"):
        objective = Objective(text)
        return objective.metric, 1 if objective.direction == "maximize" else -1
    return _guess(run.trials)


def _guess(trials: Iterable[Record]) -> tuple[str, int]:
    """Return an accuracy or else the first metric, and the sign that its name suggests."""
    names = list(dict.fromkeys(name for trial in trials for name in metrics_of(trial)))
    name = next((n for n in names if n.endswith("accuracy")), names[0] if names else "")
    return name, -1 if _LESS_IS_BETTER.search(name) else 1


def ranked(run: Recorded) -> list[Record]:
    """Return the trials of which the objective was measured and limits are kept, best first."""
    name, sign = objective_of(run)
    limits = parse_limits(str(run.config.get("limit") or ""))
    scored = []
    for trial in run.trials:
        metrics = metrics_of(trial)
        kept = all(limit.allows(metrics.get(limit.metric, math.nan)) for limit in limits)
        if name in metrics and kept:
            scored.append(trial)
    return sorted(scored, key=lambda trial: -sign * metrics_of(trial)[name])


def found(run: Recorded) -> Record:
    """Return the result: `best.json` or, while there is none, the best trial or last epoch's."""
    if run.best:
        return run.best
    for record in [*ranked(run)[:1], *reversed(latest_epochs(run.events))]:
        if record.get("architecture"):
            return {"text": record["architecture"], "metrics": record.get("metrics")}
    return {}
