"""Whether differences between strategies may be chance.

Repeats of two strategies on one benchmark are compared by the Mann-Whitney U test; where those of
one number begin with the same architectures, as pairs by Wilcoxon's signed-rank test. So are means
over several benchmarks, scaled so that benchmarks are alike: the test ranks differences.
p-values of all pairs are corrected by Holm's method. Friedman's test and the critical difference
of average ranks are those of Demsar, Statistical Comparisons of Classifiers over Multiple Data
Sets, JMLR 7, 2006.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import stats

__all__ = ["Pair", "critical_difference", "friedman", "holm", "rank_sum_tests", "signed_rank_tests"]

Floats = NDArray[np.float64]
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Pair:
    """Two strategies and how sure it is that they differ.

    Args:
        a: One.
        b: The other.
        p: Two-sided p-value.
        corrected: The same after Holm's correction over all pairs.
        superiority: Probability that a repeat of `a` has the lower value than one of `b`, ties
            counting half; 0.5 is no difference.
    """

    a: str
    b: str
    p: float
    corrected: float
    superiority: float


def holm(values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number.

    Source: Holm, A simple sequentially rejective multiple test procedure, 1979.
    """
    p = np.array(values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    raised = np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order])
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(raised, 1.0)
    return [float(value) for value in corrected]


def rank_sum_tests(samples: Mapping[str, Floats]) -> list[Pair]:
    """Compare all pairs of independent samples by the Mann-Whitney U test.

    Args:
        samples: Strategy -> its final regrets, [n].
    """
    pairs, found = list(itertools.combinations(samples, 2)), []
    for a, b in pairs:
        x, y = samples[a], samples[b]
        less = (x[:, None] < y).mean() + (x[:, None] == y).mean() / 2
        same = len(np.unique(np.concatenate([x, y]))) == 1
        p = 1.0 if same else float(stats.mannwhitneyu(x, y, alternative="two-sided").pvalue)
        found.append((p, float(less)))
    return _pairs(pairs, found)


def signed_rank_tests(samples: Mapping[str, Mapping[K, float]]) -> list[Pair]:
    """Compare all pairs of matched samples by Wilcoxon's signed-rank test.

    Args:
        samples: Strategy -> case (a repeat, a benchmark) -> value, on one scale in all cases; of
            two strategies the cases are compared that both have. With fewer than 6 no p-value
            can be below 0.05.
    """
    pairs, found = list(itertools.combinations(samples, 2)), []
    for a, b in pairs:
        both = [case for case in samples[a] if case in samples[b]]
        x, y = (np.array([samples[s][case] for case in both]) for s in (a, b))
        less = float((x < y).mean() + (x == y).mean() / 2) if both else 0.5
        p = 1.0 if np.array_equal(x, y) else float(stats.wilcoxon(x, y).pvalue)
        found.append((p, less))
    return _pairs(pairs, found)


def _pairs(names: list[tuple[str, str]], found: list[tuple[float, float]]) -> list[Pair]:
    corrected = holm([p for p, _ in found])
    rows = zip(names, found, corrected, strict=True)
    return [Pair(a, b, p, c, less) for (a, b), (p, less), c in rows]


def friedman(ranks: Floats) -> float:
    """Return the p-value of Friedman's test that all strategies rank alike.

    Args:
        ranks: Of every strategy on every benchmark, [benchmarks, strategies]; at least 2 x 3.
    """
    if (ranks == ranks[:, :1]).all():
        return 1.0
    return float(stats.friedmanchisquare(*ranks.T).pvalue)


def critical_difference(strategies: int, benchmarks: int) -> float:
    """Return by how much two average ranks must differ at the 5 % level (Nemenyi; Demsar, eq. 6).

    Args:
        strategies: How many were ranked.
        benchmarks: On how many.
    """
    q = float(stats.studentized_range.ppf(0.95, strategies, np.inf)) / np.sqrt(2)
    return float(q * np.sqrt(strategies * (strategies + 1) / (6 * benchmarks)))
