"""What there is to choose from, and what goes together."""

from __future__ import annotations

from nas.catalog.catalog import as_text, list_data, list_evaluators, list_spaces, list_strategies
from nas.catalog.compat import find_pairings, pairings_text

__all__ = [
    "as_text", "find_pairings", "list_data", "list_evaluators", "list_spaces", "list_strategies",
    "pairings_text",
]  # fmt: skip
