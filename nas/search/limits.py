"""The limits of a search on costs that are known without an evaluation."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from nas.evaluators import Evaluator
from nas.objective import Limit
from nas.progress import Progress
from nas.search.limited import LimitedSpace
from nas.search.plan import Plan
from nas.space import Architecture, SearchSpace
from nas.timeouts import time_limit

__all__ = ["check_limits", "limited_space"]

_PATIENCE = 2.0  # seconds without a word


def limited_space(plan: Plan, evaluator: Evaluator, progress: Progress) -> SearchSpace:
    """Return the space of a search without what breaks a limit on a cost known beforehand.

    Args:
        plan: Of the search.
        evaluator: What tells the costs; each is told once, and within the timeout.
        progress: Where to say that the first costs take long, as networks are built for them.
    """
    known = evaluator.cost_metrics
    limits = [limit for limit in plan.objective.limits if limit.metric in known]
    if not limits:
        return plan.space
    return LimitedSpace(
        plan.space, limits, _Costs(plan, evaluator, limits, progress), progress.warn
    )


def check_limits(plan: Plan, progress: Progress) -> None:
    """Refuse limits that nothing seems to keep, where that can be told without an evaluation.

    Args:
        plan: Of the search.
        progress: Where to report.

    Raises:
        NasError: If none of a thousand architectures keeps them.
    """
    if plan.objective.limits:
        space = limited_space(plan, plan.make_evaluator(), progress)
        space.sample(np.random.default_rng(0), 1)


class _Costs:
    """Tells the costs that limits are on; says once if the first ones take long."""

    def __init__(
        self, plan: Plan, evaluator: Evaluator, limits: Sequence[Limit], progress: Progress
    ) -> None:
        self.known, self.timeout = plan.known_costs, plan.config["timeout"]
        self.evaluator, self.limits, self.progress = evaluator, limits, progress
        self.start, self.told = time.monotonic(), bool(self.known)

    def __call__(self, architectures: Sequence[Architecture]) -> list[dict[str, float]]:
        new = [a for a in architectures if a not in self.known]
        names = [limit.metric for limit in self.limits]
        with time_limit(self.timeout and self.timeout * len(new)):
            self.known.update(zip(new, self.evaluator.costs(new, names), strict=True))
        if not self.told and time.monotonic() - self.start > _PATIENCE:
            self.told = True
            text = ", ".join(map(str, self.limits))
            self.progress.note(f"looking for an architecture that keeps the limits ({text})")
        return [self.known[a] for a in architectures]
