"""Expected improvement."""

from __future__ import annotations

import numpy as np
from scipy.integrate import quad
from scipy.stats import norm

from nas.kernels.acquisition import log_expected_improvement


def test_it_is_the_mean_improvement_of_many_draws() -> None:
    mean, std = np.array([0.3, -0.5, 1.2]), np.array([0.5, 1.0, 0.1])
    draws = np.random.default_rng(0).normal(mean, std, (400_000, 3))
    wanted = np.maximum(draws - 0.4, 0).mean(0)
    np.testing.assert_allclose(np.exp(log_expected_improvement(mean, std, 0.4)), wanted, rtol=0.02)


def test_it_is_right_on_both_sides_of_where_the_formula_changes() -> None:
    for z in (-6.0, -1.5, -1.01, -1.0, -0.99, 0.0, 4.0):
        wanted = quad(lambda x, z=z: x * norm.pdf(x - z), 0, max(z, 0) + 12, epsabs=0)[0]
        found = np.exp(log_expected_improvement(np.array([z]), np.ones(1), 0.0))[0]
        np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_it_orders_what_has_underflown() -> None:
    found = log_expected_improvement(np.array([-300.0, -200.0, -100.0]), np.ones(3), 0.0)
    assert np.isfinite(found).all()
    assert (np.diff(found) > 0).all()


def test_it_scales_with_the_unit() -> None:
    mean, std = np.array([0.1, -2.0]), np.array([0.5, 0.3])
    once = log_expected_improvement(mean, std, 0.2)
    ten = log_expected_improvement(10 * mean, 10 * std, 2.0)
    np.testing.assert_allclose(ten, once + np.log(10))
