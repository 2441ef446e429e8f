"""What is measured of an architecture, which measurement is better, and which is allowed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from nas.errors import NasError

__all__ = ["Goal", "Limit", "Measurement", "Objective", "parse_limits"]


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
class Goal:
    """One metric to maximise, or with a leading minus to minimise: `accuracy`, `-loss`.

    Args:
        text: The metric's name, with or without the minus.
    """

    text: str

    @property
    def metric(self) -> str:
        """The metric's name."""
        return self.text.removeprefix("-")

    @property
    def sign(self) -> int:
        """-1 where less is better, otherwise 1."""
        return -1 if self.text.startswith("-") else 1

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """`minimize` or `maximize`."""
        return "minimize" if self.sign < 0 else "maximize"

    def value(self, measurement: Measurement) -> float:
        """Return the metric as measured.

        Raises:
            NasError: If the evaluator does not measure it.
        """
        if self.metric not in measurement.metrics:
            measured = ", ".join(measurement.metrics) or "nothing"
            raise NasError(f"objective '{self.metric}' is not measured; measured is {measured}")
        return measurement.metrics[self.metric]


_FACTORS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "b": 1e9}
_LIMIT = re.compile(r"(\w[\w.@/-]*?)\s*(<=|>=|<|>)\s*([-+]?[\d.]+(?:e[-+]?\d+)?)([kmgb]?)", re.I)


@dataclass(frozen=True)
class Limit:
    """A bound on a metric, such as `params<1M` or `accuracy>=0.9`.

    Args:
        metric: The metric's name.
        relation: "<", "<=", ">" or ">=".
        bound: In the metric's unit.
    """

    metric: str
    relation: str
    bound: float

    @classmethod
    def parse(cls, text: str) -> Limit:
        """Read a limit; `k`, `M` and `G` after the number are thousands, millions, billions."""
        match = _LIMIT.fullmatch(text.strip())
        try:
            if match is None:
                raise ValueError
            metric, relation, number, unit = match.groups()
            return cls(metric, relation, float(number) * _FACTORS[unit.lower()])
        except ValueError:
            raise NasError(
                f"limit {text.strip()!r}: expected METRIC<NUMBER (or <=, >, >=), such as "
                "params<1M or latency<=5.5"
            ) from None

    def __str__(self) -> str:
        return f"{self.metric}{self.relation}{_short(self.bound)}"

    def allows(self, value: float) -> bool:
        """Tell whether a value is within the bound; NaN never is."""
        return {
            "<": value < self.bound, "<=": value <= self.bound,
            ">": value > self.bound, ">=": value >= self.bound,
        }[self.relation]  # fmt: skip

    def refusal(self, metrics: Mapping[str, float]) -> str | None:
        """Say why metrics are not allowed; None where they are.

        Raises:
            NasError: If the metric is not among them.
        """
        if self.metric not in metrics:
            raise NasError(
                f"limit '{self}': '{self.metric}' is not measured; measured is "
                + (", ".join(metrics) or "nothing")
            )
        value = metrics[self.metric]
        return None if self.allows(value) else f"{self.metric} is {_short(value)}, not {self}"


def _short(value: float) -> str:
    """Write a number as limits are written: 1M, 2.5k, 0.01."""
    for letter, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= factor and math.isfinite(value):
            return f"{value / factor:.6g}{letter}"
    return f"{value:.6g}"


def parse_limits(text: str) -> tuple[Limit, ...]:
    """Read limits with commas between them, such as `params<1M,flops<=600M`."""
    return tuple(Limit.parse(part) for part in text.split(",") if part.strip())


@dataclass(frozen=True)
class Objective:
    """One metric or several, each to maximise or with a minus to minimise, under limits.

    `accuracy`, `-loss`, `accuracy,-latency`. What breaks a limit is worse than anything that does
    not. With several metrics `metric`, `direction`, `value` and `score` are those of the first;
    strategies for several use `scores`.

    Args:
        text: Metrics with commas between them.
        limits: What a measurement must keep.
    """

    text: str = "accuracy"
    limits: tuple[Limit, ...] = ()

    def __post_init__(self) -> None:
        if any(not goal.metric for goal in self.goals):
            raise NasError(f"objective '{self.text}': expected a metric such as accuracy or -loss")
        names = [goal.metric for goal in self.goals]
        if len(set(names)) < len(names):
            raise NasError(f"objective '{self.text}': the same metric twice")

    @cached_property
    def goals(self) -> tuple[Goal, ...]:
        """The metrics, in order."""
        return tuple(Goal(part.strip()) for part in self.text.split(","))

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that it and its limits name."""
        names = [goal.metric for goal in self.goals] + [limit.metric for limit in self.limits]
        return tuple(dict.fromkeys(names))

    @property
    def metric(self) -> str:
        """The (first) metric's name."""
        return self.goals[0].metric

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """`minimize` or `maximize`."""
        return self.goals[0].direction

    def value(self, measurement: Measurement) -> float:
        """Return the (first) metric as measured; raises `NasError` if it is not."""
        return self.goals[0].value(measurement)

    def allows(self, measurement: Measurement) -> bool:
        """Tell whether there is a measurement and it keeps every limit."""
        return measurement.ok and all(not x.refusal(measurement.metrics) for x in self.limits)

    def score(self, measurement: Measurement) -> float:
        """Return a number that is larger for the better; -inf for a failure or a broken limit."""
        if not measurement.ok:
            return -math.inf
        value = self.goals[0].sign * self.goals[0].value(measurement)
        return value if not self.limits or self.allows(measurement) else -math.inf

    def scores(self, measurement: Measurement) -> tuple[float, ...]:
        """Return a number a metric, larger for the better; all -inf where `score` is."""
        if self.score(measurement) == -math.inf:
            return (-math.inf,) * len(self.goals)
        return tuple(goal.sign * goal.value(measurement) for goal in self.goals)
