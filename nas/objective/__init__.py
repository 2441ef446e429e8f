"""What is better: metrics, directions, limits, Pareto fronts."""

from __future__ import annotations

from nas.objective.objective import BROKEN, Goal, Limit, Measurement, Objective, parse_limits
from nas.objective.pareto import (
    crowding_distance,
    hypervolume,
    non_dominated,
    non_dominated_sort,
)

__all__ = [
    "BROKEN", "Goal", "Limit", "Measurement", "Objective", "crowding_distance", "hypervolume",
    "non_dominated", "non_dominated_sort", "parse_limits",
]  # fmt: skip
