"""Values of proxies as normal quantiles among those of random architectures."""

from __future__ import annotations

import math
import sys
from itertools import pairwise
from statistics import NormalDist

import numpy as np
import pytest

from nas.proxies import Reference

LARGEST = sys.float_info.max
RNG = np.random.default_rng(0)
SAMPLES = {
    "normal": RNG.normal(0, 3, 100),
    "twenty orders of magnitude": np.exp(RNG.normal(30, 12, 100)),
    "dead ones": np.concatenate([np.zeros(60), np.exp(RNG.normal(5, 9, 68))]),
    "negative": -np.exp(RNG.normal(8, 4, 50)),
    "condition numbers": -1 - np.exp(RNG.normal(0, 9, 50)),
    "large offset": 1e9 + RNG.integers(0, 40, 100),
    "mass at the top": np.concatenate([RNG.normal(0, 1, 20), np.full(80, 7.0)]),
    "one value": np.full(5, 4.0),
    "zeros": np.zeros(5),
    "a single one": np.array([-3.5]),
    "two": np.array([1.0, 2.0]),
    "extreme": np.array([-LARGEST, -5e-324, 0.0, 5e-324, LARGEST]),
}
"""What proxies' values look like."""
samples = pytest.mark.parametrize("values", SAMPLES.values(), ids=SAMPLES.keys())


@samples
def test_the_quantile_rises_with_every_value(values: np.ndarray) -> None:
    reference = Reference(values)
    sizes = np.abs(values[values != 0]) if values.any() else np.ones(1)
    near = [v * (1 + e) for v in values / 2 for e in (-1e-12, 1e-12)]
    far = [float(s) * 10.0**e for s in (*sizes, *-sizes) for e in (-9, -6, -3, 1, 5, 30, 200)]
    between = np.quantile(values / 2, np.linspace(0, 1, 77))
    asked = [0.0, -LARGEST, LARGEST, *values, *far, *(float(v) * 2 for v in (*near, *between))]
    asked = distinct([v for v in map(float, asked) if math.isfinite(v)], 1e-13, reference._scale)
    found = [reference.quantile(v) for v in asked]
    assert all(map(math.isfinite, found))
    assert all(low < high for low, high in pairwise(found))


def distinct(values: list[float], apart: float, size: float) -> list[float]:
    """Sort values; leave out what is not a part `apart` of itself, or of a size, above the last."""
    found: list[float] = []
    for value in sorted(values):
        if not found or value / 2 - found[-1] / 2 > apart * max(abs(value), size):
            found.append(value)
    return found


@samples
def test_at_the_values_it_is_the_quantile_of_the_share(values: np.ndarray) -> None:
    reference = Reference(values[::-1])
    for value in values:
        share = float(np.mean(values < value) + np.mean(values == value) / 2)
        assert reference.share(value) == pytest.approx(share)
        assert reference.quantile(value) == pytest.approx(NormalDist().inv_cdf(share))


def test_the_median_is_zero_and_a_normal_sample_keeps_its_scale() -> None:
    values = [NormalDist(100, 1).inv_cdf((i + 0.5) / 101) for i in range(101)]
    reference = Reference(values)
    assert reference.quantile(values[50]) == pytest.approx(0)
    for value in (98, 99, 101, 102, 104, 96):  # two of them beyond
        assert reference.quantile(value) == pytest.approx(value - 100, rel=0.03)


def test_orders_of_magnitude_are_steps_of_one_size() -> None:
    reference = Reference([10.0**e for e in range(-5, 20)])
    steps = np.diff([reference.quantile(10.0**e) for e in range(20, 60)])
    assert steps == pytest.approx(np.full(39, steps[0]), rel=1e-4) and steps[0] > 0.05
    assert 6 < reference.quantile(1e60) < 12  # neither out of scale nor at a bound


def test_a_few_values_at_zero_do_not_blow_up_what_is_above() -> None:
    """Networks without a path have the value 0, however large the others are."""
    alive = [10.0**e for e in range(5, 25)]
    with_dead, without = Reference([0.0, *alive]), Reference(alive)
    assert with_dead.quantile(1e26) == pytest.approx(without.quantile(1e26), abs=0.2)
    assert with_dead.quantile(0) < with_dead.quantile(1) < with_dead.quantile(1e4)
