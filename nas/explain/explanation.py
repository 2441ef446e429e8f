"""What raised and what lowered a metric among the architectures of a search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.errors import NasError
from nas.explain.effects import Effect, effects_of
from nas.kernels import Hyperparameters, WLGaussianProcess
from nas.objective import Goal
from nas.settings import require_ranges, setting
from nas.space import Architecture, SearchSpace

__all__ = ["ExplainSettings", "Explanation", "explain"]

_FEWEST = 5


@dataclass
class ExplainSettings:
    """What is explained, and what is left out."""

    metric: str = setting("", "which, with a minus where less is better; empty: the objective")
    min_count: int | None = setting(
        None, "architectures that must have a sub-structure; none: a fifth of them, 2 to 10"
    )
    levels: int = setting(3, "largest height of sub-structures")
    tail: float = setting(0.25, "share of sub-structures that are called good, and bad")
    top: int = setting(6, "how many of each are shown")

    def __post_init__(self) -> None:
        require_ranges(
            self,
            "explain",
            {
                "min_count": (self.min_count is None or self.min_count >= 1, "1 or more"),
                "levels": (0 <= self.levels <= 10, "0 to 10"),
                "tail": (0 < self.tail <= 0.5, "a share up to 0.5"),
                "top": (self.top >= 1, "1 or more"),
            },
        )


@dataclass(frozen=True)
class Explanation:
    """The effects of sub-structures on a metric, in its unit.

    Args:
        goal: The metric and its direction.
        space: Name of the space.
        architectures: How many were measured.
        failed: How many were not.
        chosen: Kernel and noise of the model.
        correlation: Spearman's, between what was measured of each architecture and what the model
            of all others predicts; NaN where it is not defined.
        min_count: In how many architectures a sub-structure must be.
        effects: Sub-structures and what they do to the metric, the most helpful first.
        good: Those in the upper tail that help.
        bad: Those in the lower tail that harm, the worst first.
        shares: Whether the metric is a share, to be shown in points (hundredths).
    """

    goal: Goal
    space: str
    architectures: int
    failed: int
    chosen: Hyperparameters
    correlation: float
    min_count: int
    effects: list[Effect] = field(repr=False)
    good: list[Effect] = field(repr=False)
    bad: list[Effect] = field(repr=False)
    shares: bool

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "metric": self.goal.metric,
            "direction": self.goal.direction,
            "space": self.space,
            "architectures": self.architectures,
            "failed": self.failed,
            "level": self.chosen.level,
            "noise": self.chosen.noise,
            "correlation": _plain(self.correlation),
            "min_count": self.min_count,
            "good": [_effect_json(effect) for effect in self.good],
            "bad": [_effect_json(effect) for effect in self.bad],
            "effects": [_effect_json(effect) for effect in self.effects],
        }

    def shown(self, value: float, signed: bool = False) -> str:
        """Write a value of the metric, a share in points."""
        if math.isnan(value):
            return "-"
        number = f"{100 * value:.2f}" if self.shares else f"{value:.4g}"
        return f"+{number}" if signed and value > 0 else number

    @property
    def unit(self) -> str:
        """The metric's name and, where it is a share, that it is in points."""
        return f"{self.goal.metric}, points" if self.shares else self.goal.metric


def explain(
    space: SearchSpace,
    architectures: Sequence[Architecture],
    values: Sequence[float],
    goal: Goal | str = "accuracy",
    settings: ExplainSettings | None = None,
    failed: int = 0,
) -> Explanation:
    """Tell which sub-structures raise and lower a metric.

    A Gaussian process with the Weisfeiler-Lehman subtree kernel is fitted to what was measured.

    Args:
        space: Of the architectures.
        architectures: What was measured.
        values: The metric of each.
        goal: The metric's name, with a minus where less is better.
        settings: What is left out.
        failed: How many others could not be measured, to be told.

    Raises:
        NasError: If fewer than 5 were measured.
    """
    goal = Goal(goal) if isinstance(goal, str) else goal
    settings = settings or ExplainSettings()
    n = len(architectures)
    if n < _FEWEST:
        raise NasError(
            f"{n} architectures with {goal.metric} are too few to explain it; {_FEWEST} are needed"
        )
    measured = np.asarray(values, dtype=np.float64)
    model = WLGaussianProcess(space, settings.levels, variants=("dot",), zeros=True)
    model.fit(architectures, measured.tolist())
    min_count = settings.min_count or max(2, min(10, n // 5))
    effects = effects_of(model, min_count)[:: goal.sign]
    good, bad = _tails(effects, goal.sign, settings.tail)
    return Explanation(
        goal,
        space.name,
        n,
        failed,
        model.chosen,
        _spearman(measured, model.left_out()),
        min_count,
        effects,
        good,
        bad,
        shares=bool((measured >= 0).all() and (measured <= 1).all()),
    )


def _tails(effects: list[Effect], sign: int, tail: float) -> tuple[list[Effect], list[Effect]]:
    """Return what is above the upper quantile and helps, and below the lower one and harms."""
    if not effects:
        return [], []
    changes = np.array([sign * effect.change for effect in effects])
    low, high = np.quantile(changes, [tail, 1 - tail])
    pairs = list(zip(effects, changes.tolist(), strict=True))
    good = [effect for effect, change in pairs if change >= high and change > 0]
    bad = [effect for effect, change in pairs if change <= low and change < 0]
    return good, bad[::-1]


def _spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    from scipy.stats import spearmanr

    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    return float(spearmanr(a, b).statistic)


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value


def _effect_json(effect: Effect) -> dict[str, Any]:
    return {
        "motif": effect.motif.text,
        "change": effect.change,
        "own": effect.own,
        "spread": effect.spread,
        "count": effect.count,
        "occurrences": effect.occurrences,
        "mean_with": effect.with_it,
        "mean_without": _plain(effect.without),
    }
