"""What is measured of an architecture, and which measurement is better."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from nas.errors import NasError

__all__ = ["Measurement", "Objective"]


@dataclass(frozen=True)
class Measurement:
    """What an evaluator says of one architecture.

    Args:
        metrics: Name -> value, such as {"accuracy": 0.93, "loss": 0.31}; shares are in [0, 1].
        seconds: What the evaluation took.
        error: Why it failed; empty where it did not.
    """

    metrics: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether there is a measurement."""
        return not self.error

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a log."""
        failed = {"error": self.error} if self.error else {}
        status = "ok" if self.ok else "failed"
        return {"status": status, "metrics": self.metrics, "seconds": self.seconds, **failed}


@dataclass(frozen=True)
class Objective:
    """A metric to maximise, or with a leading minus to minimise, as in `accuracy` and `-loss`.

    Args:
        text: The metric's name, with or without the minus.
    """

    text: str = "accuracy"

    def __post_init__(self) -> None:
        if not self.metric:
            raise NasError(f"objective '{self.text}': expected a metric such as accuracy or -loss")

    @property
    def metric(self) -> str:
        """The metric's name."""
        return self.text.removeprefix("-")

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """`minimize` or `maximize`."""
        return "minimize" if self.text.startswith("-") else "maximize"

    def value(self, measurement: Measurement) -> float:
        """Return the metric as measured.

        Raises:
            NasError: If the evaluator does not measure it.
        """
        if self.metric not in measurement.metrics:
            measured = ", ".join(measurement.metrics) or "nothing"
            raise NasError(f"objective '{self.metric}' is not measured; measured is {measured}")
        return measurement.metrics[self.metric]

    def score(self, measurement: Measurement) -> float:
        """Return a number that is larger for the better; -inf for a failure."""
        if not measurement.ok:
            return -math.inf
        value = self.value(measurement)
        return -value if self.direction == "minimize" else value
