"""What there is to choose from, and what goes together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas.catalog.catalog import as_text, list_data, list_evaluators, list_spaces, list_strategies
from nas.lazy import export_lazily

if TYPE_CHECKING:
    from nas.catalog.compat import find_pairings, pairings_text
else:
    export_lazily(
        __name__,
        {
            "find_pairings": "nas.catalog.compat",
            "pairings_text": "nas.catalog.compat",
        },
    )

__all__ = [
    "as_text", "find_pairings", "list_data", "list_evaluators", "list_spaces", "list_strategies",
    "pairings_text",
]  # fmt: skip
