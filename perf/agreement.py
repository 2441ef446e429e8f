"""Whether two executions compute the same, in spite of rounding.

Training amplifies rounding: in three pairs of steps, losses of a deep DARTS supernet move by up to
1e-3 where its weights change by 1e-7. Two things are therefore looked at:

* in double precision, where rounding plays no part, the losses must be equal;
* in single precision they must be as close as the reference is to itself when its weights change
  in the last digit (the floor).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from perf.case import Case, Variation
from perf.steps import OurSearch, ReferenceSearch, trajectory

CHECKED_PAIRS = 3
TOLERANCES = {"fp64": 1e-9, "fp32": 1e-4, "bf16": 0.05}
_FLOORS = 10  # how many times the floor two executions may be apart
_LAST_DIGIT = 1e-7
_EXACT_BATCH, _EXACT_SIZE = 4, 8  # double precision is slow


@dataclass(frozen=True)
class Yardstick:
    """What losses of one case are compared by.

    Args:
        exact: The largest difference between ours and the reference in double precision.
        floor: That between the reference and itself, weights changed in the last digit, in fp32.
    """

    exact: float
    floor: float

    def limit(self, precision: str) -> float:
        """Return how far losses may be apart."""
        return max(TOLERANCES[precision], _FLOORS * self.floor)

    def problem(self, what: str, difference: float, precision: str) -> str:
        """Return, loudly, what does not agree; empty where all does."""
        found = [("fp64", self.exact, TOLERANCES["fp64"])]
        found.append((precision, difference, self.limit(precision)))
        for name, value, limit in found:
            if not value <= limit:  # NaN too
                return (
                    f"MISMATCH in {what}: losses differ by {value:.1e} in {name}, not {limit:.0e}"
                )
        return ""


def floor(case: Case, ours: OurSearch, device: torch.device, expected: Sequence[float]) -> float:
    """Return how far the reference is from itself once its weights change in the last digit.

    Args:
        case: What to do.
        ours: A search that has not begun: gives the reference its weights.
        device: Where.
        expected: The reference's losses in fp32.
    """
    reference = ReferenceSearch(ours, case)
    shake(reference)
    return largest(trajectory(reference, case.batches(CHECKED_PAIRS, device)), expected)


def exact_difference(case: Case, variation: Variation, device: torch.device) -> float:
    """Return the largest difference of losses in double precision, on few small images."""
    case = replace(case, batch=_EXACT_BATCH, size=min(case.size, _EXACT_SIZE))
    ours = OurSearch(case, replace(variation, precision="fp64"), device)
    reference = ReferenceSearch(ours, case, "fp64")
    batches = case.batches(CHECKED_PAIRS, device)
    return largest(trajectory(ours, batches), trajectory(reference, batches))


@torch.no_grad()
def shake(reference: ReferenceSearch) -> None:
    """Change all weights of a reference in the last digit."""
    torch.manual_seed(0)
    for weight in reference.network.parameters():
        weight.mul_(1 + _LAST_DIGIT * torch.randn_like(weight))


def largest(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the largest difference between the losses of two sides; NaN if there is one."""
    return float(np.abs(np.subtract(a, b)).max())
