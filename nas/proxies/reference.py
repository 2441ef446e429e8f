"""Values of a proxy on one scale with those of others: normal quantiles in a reference sample."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from statistics import NormalDist, median_high

__all__ = ["Reference"]

_LEAST_SCALE = 1e-300  # whose half is still a number of full precision
_LEAST_SPREAD = 1e-12  # of values that differ by rounding only


class Reference:
    """Where a value of a proxy lies among those of random architectures.

    Between and beyond these, values count by their logarithm: t(v) = sign(v) log(1 + |v| / scale).
    Values of one sign have the least of them as scale, so that any number of orders of magnitude is
    spread evenly; those of both signs their median, so that what is near zero is not torn apart.

    Args:
        values: Finite, at least one; in any order.
    """

    def __init__(self, values: Sequence[float]) -> None:
        self.values = sorted(map(float, values))
        self._knots = sorted(set(self.values))
        self._scale = _scale_of(self._knots)
        normal = NormalDist()
        self._quantiles = [normal.inv_cdf(self.share(knot)) for knot in self._knots]
        self._slopes = self._outer_slopes()

    def share(self, value: float) -> float:
        """Return the share of values that are lower, in [0, 1]; equal ones count half."""
        lower, not_higher = bisect_left(self.values, value), bisect_right(self.values, value)
        return (lower + not_higher) / (2 * len(self.values))

    def quantile(self, value: float) -> float:
        """Return the normal quantile of the share, which goes on between and beyond the values.

        0 is the median, 1 what is better than 84 % of them, as if they were normally distributed.
        Beyond the best, and below the worst, it goes on linearly in t, as steeply as t rises from
        the median to there. So it is finite for every finite value and strictly increases with it,
        as far as rounding allows: to some parts in 10^15 of the value, or of the scale where that
        is larger.
        """
        knots, quantiles = self._knots, self._quantiles
        if value < knots[0]:
            return quantiles[0] - self._slopes[0] * self._distance(value, knots[0])
        i = bisect_right(knots, value) - 1  # the last that is not above the value
        if i == len(knots) - 1:
            return quantiles[i] + self._slopes[1] * self._distance(knots[i], value)
        whole = self._distance(knots[i], knots[i + 1]) or 1.0  # 0 of numbers around 1e-300
        way = self._distance(knots[i], value) / whole
        return quantiles[i] + (quantiles[i + 1] - quantiles[i]) * way

    def _outer_slopes(self) -> tuple[float, float]:
        """Return how steeply the quantile goes on below the lowest value and above the highest."""
        knots, quantiles = self._knots, self._quantiles
        if len(knots) == 1:
            return 1.0, 1.0  # a single value says nothing of how others are spread
        i = bisect_right(quantiles, 0.0) - 1  # the median is here or before the next one
        part = -quantiles[i] / (quantiles[i + 1] - quantiles[i])
        left, gap = self._distance(knots[0], knots[i]), self._distance(knots[i], knots[i + 1])
        below = left + part * gap
        above = (1 - part) * gap + self._distance(knots[i + 1], knots[-1])
        return -quantiles[0] / max(below, _LEAST_SPREAD), quantiles[-1] / max(above, _LEAST_SPREAD)

    def _distance(self, low: float, high: float) -> float:
        """Return t(high) - t(low), exact also where they are close."""
        if low < 0 < high:
            return self._distance(0.0, -low) + self._distance(0.0, high)
        if low < 0:
            low, high = -high, -low
        step, base = high / 2 - low / 2, self._scale / 2 + low / 2  # halves cannot overflow
        if math.isinf(step / base):
            return math.log(step) - math.log(base)
        return math.log1p(step / base)


def _scale_of(knots: Sequence[float]) -> float:
    """Return up to which size values count linearly."""
    sizes = [abs(knot) for knot in knots if knot != 0]
    if not sizes:
        return 1.0
    of_both_signs = knots[0] < 0 < knots[-1]
    return max(median_high(sizes) if of_both_signs else min(sizes), _LEAST_SCALE)
