"""One search: the plan, the loops, the limits. Spaces, strategies and evaluators meet here."""

from __future__ import annotations

from nas.search.limited import LimitedSpace
from nas.search.plan import SCALES, make_plan, precision_settings
from nas.search.proposals import MOST_REPEATS, Proposals
from nas.search.search import search

__all__ = [
    "MOST_REPEATS", "SCALES", "LimitedSpace", "Proposals", "make_plan", "precision_settings",
    "search",
]  # fmt: skip
