"""What is measured of an architecture, which measurement is better, and which is allowed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from nas.errors import NasError

__all__ = ["BROKEN", "Goal", "Limit", "Measurement", "Objective", "parse_limits"]

BROKEN = -1e100
"""The score of what breaks a limit by nothing; no metric is as bad."""
_LEAST_EXCESS = 1e-12  # of what is at a bound that it must be below


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

    @cached_property
    def metric(self) -> str:
        """The metric's name."""
        return self.text.removeprefix("-")

    @cached_property
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

    def excess(self, value: float) -> float:
        """Return by how much a value is beyond the bound, in parts of the bound's size.

        Above 0 where the limit is broken, otherwise at most 0; inf for NaN. A bound of 0 has the
        size 1.
        """
        if math.isnan(value):
            return math.inf
        beyond = value - self.bound if self.relation.startswith("<") else self.bound - value
        relative = beyond / (abs(self.bound) or 1.0)
        return min(relative, 0.0) if self.allows(value) else max(relative, _LEAST_EXCESS)

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
    not, and the worse the more it breaks. With several metrics `metric`, `direction`, `value` and
    `score` are those of the first; strategies for several use `scores`.

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

    def measures(self, measurement: Measurement) -> bool:
        """Tell whether every metric to maximise or minimise was measured."""
        return all(goal.metric in measurement.metrics for goal in self.goals)

    def allows(self, measurement: Measurement) -> bool:
        """Tell whether there is a measurement and it keeps every limit."""
        return measurement.ok and self.violation(measurement) == 0

    def excesses(self, measurement: Measurement) -> tuple[float, ...]:
        """Return by how much each limit is broken (above 0), or by how much it is kept (to 0).

        In parts of the limit's bound; empty without limits. Where a limit that was told first is
        broken the rest may not be measured: of these it is NaN.

        Raises:
            NasError: If a metric is not measured, and no other limit is broken.
        """
        metrics = measurement.metrics
        found = [x.excess(metrics[x.metric]) for x in self.limits if x.metric in metrics]
        if len(found) < len(self.limits) and not any(excess > 0 for excess in found):
            for limit in self.limits:
                limit.refusal(metrics)  # says which is not measured
        return tuple(
            x.excess(metrics[x.metric]) if x.metric in metrics else math.nan for x in self.limits
        )

    def violation(self, measurement: Measurement) -> float:
        """Return by how much limits are broken, added up; 0 where all are kept, inf for a failure.

        Source: Deb, An Efficient Constraint Handling Method for Genetic Algorithms, CMAME 2000,
        with each constraint in parts of its bound.
        """
        if not measurement.ok:
            return math.inf
        return sum(excess for excess in self.excesses(measurement) if excess > 0)

    def score(self, measurement: Measurement) -> float:
        """Return a number that orders by (feasible, -violation, value): larger is better.

        The first metric, its sign turned where less is better; `BROKEN` * (1 + violation) for what
        breaks a limit, so that anything that keeps them is better, and of the others what breaks
        them less; -inf for a failure.
        """
        if not measurement.ok:
            return -math.inf
        violation = self.violation(measurement) if self.limits else 0.0
        if violation > 0:
            return BROKEN * (1 + violation)
        return self.goals[0].sign * self.goals[0].value(measurement)

    def scores(self, measurement: Measurement) -> tuple[float, ...]:
        """Return a number a metric, larger for the better.

        All are `score` where that is not a value: then who dominates whom is constrained
        domination (Deb et al., NSGA-II, IEEE TEC 2002, def. 1).
        """
        score = self.score(measurement)
        if score <= BROKEN:
            return (score,) * len(self.goals)
        return tuple(goal.sign * goal.value(measurement) for goal in self.goals)
