"""One search: resolve (names to parts), plan, then a loop around the strategy.

Spaces, strategies and evaluators meet here, and nowhere below.
"""

from __future__ import annotations

from nas.search.limited import LimitedSpace
from nas.search.plan import Plan, make_plan
from nas.search.proposals import MOST_REPEATS, Proposals
from nas.search.resolve import Request, resolve
from nas.search.search import search

__all__ = [
    "MOST_REPEATS", "LimitedSpace", "Plan", "Proposals", "Request", "make_plan", "resolve",
    "search",
]  # fmt: skip
