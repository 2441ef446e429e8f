"""How much of a budget goes to what a strategy does before it learns."""

from __future__ import annotations

__all__ = ["share_of_budget"]


def share_of_budget(evaluations: int, parts: int, most: int, least: int = 1) -> int:
    """Return one part of a budget, for settings that a small budget would otherwise spend.

    Args:
        evaluations: The budget.
        parts: Into how many it is divided.
        most: What is enough, however large the budget.
        least: What cannot be done with less.
    """
    return max(least, min(most, evaluations // parts))
