"""Options of supernets in which nothing but sizes and parts of a block is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nas.errors import NasError

__all__ = ["without_cells"]


def without_cells(
    options: Mapping[str, Any], space: str, reason: str = "it has no cells"
) -> dict[str, Any]:
    """Return options of `supernet` but those of cells; raises `NasError` where these are asked for.

    Args:
        options: As given to `supernet`.
        space: Its name.
        reason: Why it has none of what they are about.
    """
    if options.get("partial_channels", 1) != 1 or options.get("edge_gates"):
        raise NasError(
            f"space '{space}' has no partial channels or edge gates: {reason}; take a strategy "
            "without them (nas compat lists them)"
        )
    return {k: v for k, v in options.items() if k not in ("partial_channels", "edge_gates")}
