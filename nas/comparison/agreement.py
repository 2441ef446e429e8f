"""How well scores order architectures: rank correlations, alone and against a baseline's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from nas.comparison.resampling import (
    RESAMPLES,
    Counts,
    Resamples,
    kendall,
    order_of,
    spearman,
    top_precision,
)

__all__ = ["INTERVAL", "Agreement", "Difference", "Estimate", "agreements"]

Floats = NDArray[np.float64]

INTERVAL = (
    f"95 % percentile bootstrap over architectures, {RESAMPLES:,} resamples, the same ones for all"
)
"""What the intervals are, in words."""
_SPARSE = 3  # digits of a share: 0.1 %


@dataclass(frozen=True)
class Estimate:
    """A statistic of a sample with its confidence interval; NaN where it is not defined."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """How much better than a baseline scores order the same architectures.

    Args:
        spearman: Difference of Spearman's correlations; its interval is that of the difference in
            the same resamples (paired).
        kendall: The same of Kendall's tau-b.
    """

    spearman: Estimate
    kendall: Estimate


@dataclass(frozen=True)
class Agreement:
    """How scores and true values of the same architectures agree.

    Args:
        spearman: Spearman's rank correlation.
        kendall: Kendall's tau-b.
        sparse: Kendall's tau-b with true values rounded to 0.1 %, so that differences which are
            noise are ties (Yu et al., ICLR 2020, arXiv:1902.08142); None for what is no share.
        top: Share of the best-scored that are among the truly best, at `k` of each.
        k: How many these are.
        n: Architectures, those that could not be judged among them.
        versus: Against the baseline; None where there is none, and for itself.
    """

    spearman: Estimate
    kendall: Estimate
    sparse: Estimate | None
    top: Estimate
    k: int
    n: int
    versus: Difference | None = None


@dataclass(frozen=True)
class _Sampled:
    """A statistic of the sample, and of every resample."""

    value: float
    draws: Floats

    def estimate(self) -> Estimate:
        found = self.draws[np.isfinite(self.draws)]
        low, high = np.percentile(found, [2.5, 97.5]) if len(found) else (np.nan, np.nan)
        return Estimate(self.value, float(low), float(high))

    def minus(self, other: _Sampled) -> Estimate:
        return _Sampled(self.value - other.value, self.draws - other.draws).estimate()


def agreements(
    scores: Mapping[str, Floats],
    values: Floats,
    share: bool,
    top: float = 0.1,
    baseline: str | None = None,
    resamples: Resamples | None = None,
) -> dict[str, Agreement]:
    """Compare the scores of several evaluators with true values.

    Args:
        scores: Evaluator -> larger for the better, [n]; NaN, what could not be judged, ranks last:
            that is what a search does with it.
        values: True ones, [n], finite, larger for the better; n at least 2.
        share: Whether values are in [0, 1], such as accuracies.
        top: Which part counts as the best.
        baseline: The evaluator that the others are compared with.
        resamples: Of n; None makes them.
    """
    n, k = len(values), max(1, round(top * len(values)))
    resamples = resamples or Resamples(n)
    truth, sparse_truth = order_of(values), order_of(values.round(_SPARSE))

    def sampled(statistic: Callable[[Counts], Floats]) -> _Sampled:
        return _Sampled(resamples.value(statistic), resamples.of(statistic))

    ranks = {name: order_of(np.where(np.isnan(s), -np.inf, s)) for name, s in scores.items()}
    rho = {name: sampled(partial(spearman, a, truth)) for name, a in ranks.items()}
    tau = {name: sampled(partial(kendall, a, truth)) for name, a in ranks.items()}

    def versus(name: str) -> Difference | None:
        if baseline is None or name == baseline:
            return None
        return Difference(rho[name].minus(rho[baseline]), tau[name].minus(tau[baseline]))

    return {
        name: Agreement(
            rho[name].estimate(),
            tau[name].estimate(),
            sampled(partial(kendall, a, sparse_truth)).estimate() if share else None,
            sampled(partial(top_precision, a, truth, k)).estimate(),
            k,
            n,
            versus(name),
        )
        for name, a in ranks.items()
    }
