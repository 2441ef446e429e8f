"""What a black-box search came to: its leaders, its best trial, what became of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from nas.errors import NasError
from nas.evaluators import Evaluator
from nas.objective import Objective, non_dominated
from nas.progress import Progress
from nas.run import Run, Trial
from nas.space import Architecture

__all__ = ["best_trial", "leaders", "say_failures"]

_LEADERS = 10
_MOST_OF_FRONT = 30
_EVALUATIONS_A_LEADER = 5


def leaders(run: Run, trials: Sequence[Trial], evaluations: int) -> list[Architecture]:
    """Return the architectures that are best by their latest measurements, the best first.

    Ten, but no more than a fifth of the evaluations; of several objectives what is in the front.

    Args:
        run: Of the search.
        trials: What was proposed and evaluated.
        evaluations: The budget.
    """
    objective = run.objective
    latest = {run.space.canonical(trial.architecture): trial for trial in trials}
    kept = [trial for trial in latest.values() if objective.allows(trial.measurement)]
    if not kept:
        return []
    most = max(1, min(_LEADERS, evaluations // _EVALUATIONS_A_LEADER))
    if len(objective.goals) > 1:
        front = non_dominated(np.array([objective.scores(trial.measurement) for trial in kept]))
        kept, most = [kept[row] for row in np.flatnonzero(front)], _MOST_OF_FRONT
    kept.sort(key=lambda trial: -objective.score(trial.measurement))
    return [trial.architecture for trial in kept[:most]]


def best_trial(run: Run, evaluator: Evaluator | None = None) -> Trial:
    """Return the best trial of a run; of equals the first.

    Args:
        run: Its search is at its end.
        evaluator: Which may know better than the scores how to compare all that it has judged.

    Raises:
        NasError: If nothing could be evaluated, or nothing keeps the limits.
    """
    trials, objective = run.decisive(), run.objective
    done = [trial for trial in trials if trial.measurement.ok]
    if not done:
        reason = trials[0].measurement.error if trials else "nothing was proposed"
        raise NasError(f"none of {len(trials)} architectures could be evaluated: {reason}")
    kept = [trial for trial in done if objective.allows(trial.measurement)]
    if not kept:
        raise _nothing_keeps_them(objective, done)
    scores = _final_scores(objective, kept, evaluator)
    return kept[max(range(len(kept)), key=scores.__getitem__)]


def _final_scores(
    objective: Objective, trials: Sequence[Trial], evaluator: Evaluator | None
) -> list[float]:
    measurements = [trial.measurement for trial in trials]
    own = evaluator and evaluator.objective_for(evaluator.settings) == objective.text
    found = evaluator.final_scores(measurements) if evaluator and own else None
    return [objective.score(m) for m in measurements] if found is None else found


def _nothing_keeps_them(objective: Objective, done: Sequence[Trial]) -> NasError:
    limits = ", ".join(map(str, objective.limits))
    nearest = max(done, key=lambda trial: objective.score(trial.measurement))
    metrics = nearest.measurement.metrics
    told = (limit for limit in objective.limits if limit.metric in metrics)
    reason = next(filter(None, (limit.refusal(metrics) for limit in told)))
    return NasError(
        f"none of {len(done)} architectures keeps the limits ({limits}); of the nearest, {reason}"
    )


def say_failures(objective: Objective, trials: Sequence[Trial], progress: Progress) -> None:
    """Print how many architectures do not count, and why."""
    reasons = Counter(t.measurement.error for t in trials if not t.measurement.ok)
    failed = sum(reasons.values())
    if reasons:
        [(reason, _)] = reasons.most_common(1)
        how = ", most often with" if len(reasons) > 1 else ":"
        progress.warn(f"{failed} of {len(trials)} architectures failed{how} {reason}")
    refused = sum(not objective.allows(t.measurement) for t in trials) - failed
    if refused:
        progress.note(f"{refused} of {len(trials)} architectures broke a limit")
