"""How much of a budget goes to what a strategy does before it learns, and between two steps."""

from __future__ import annotations

from collections.abc import Iterable

from nas.objective import BROKEN

__all__ = ["share_of_budget", "under_limits"]

_SOONER = 4  # times, where hardly anything keeps the limits
_FEW = 4  # that break a limit for one that keeps them all


def share_of_budget(evaluations: int, parts: int, most: int, least: int = 1) -> int:
    """Return one part of a budget, for settings that a small budget would otherwise spend.

    Args:
        evaluations: The budget.
        parts: Into how many it is divided.
        most: What is enough, however large the budget.
        least: What cannot be done with less.
    """
    return max(least, min(most, evaluations // parts))


def under_limits(results: int, scores: Iterable[float], least: int = 4) -> int:
    """Return how many results to wait for, of which there are fewer where most break a limit.

    A sample in which nothing keeps the limits tells little of the objective and which way they
    are: a quarter of it is enough to follow.

    Args:
        results: As many as are usual.
        scores: Of all that was told so far (`Objective.score`).
        least: What cannot be done with less.
    """
    known = [score for score in scores if score != float("-inf")]
    broken = sum(score <= BROKEN for score in known)
    few = broken > _FEW * (len(known) - broken)
    return min(results, max(least, results // _SOONER)) if few else results
