"""A growing Cholesky factor equals one made at once."""

from __future__ import annotations

import numpy as np
import pytest

from nas.kernels.cholesky import CholeskyFactor


def positive(n: int, seed: int = 0) -> np.ndarray:
    root = np.random.default_rng(seed).normal(size=(n, n + 3))
    return root @ root.T + 0.1 * np.eye(n)


def test_rows_added_one_by_one_equal_the_whole() -> None:
    matrix = positive(30)
    factor = CholeskyFactor(matrix[:10, :10])
    for i in range(10, 30):
        factor = factor.appended(matrix[i, :i], matrix[i, i])
    np.testing.assert_allclose(factor.lower, np.linalg.cholesky(matrix), atol=1e-10)
    assert len(factor) == 30


def test_the_old_factor_stays() -> None:
    matrix = positive(5)
    factor = CholeskyFactor(matrix[:4, :4])
    before = factor.lower.copy()
    factor.appended(matrix[4, :4], matrix[4, 4])
    np.testing.assert_array_equal(factor.lower, before)


def test_it_solves() -> None:
    matrix = positive(12)
    right = np.random.default_rng(1).normal(size=(12, 3))
    factor = CholeskyFactor(matrix)
    np.testing.assert_allclose(matrix @ factor.solve(right), right, atol=1e-9)
    np.testing.assert_allclose(matrix @ factor.solve(right[:, 0]), right[:, 0], atol=1e-9)
    np.testing.assert_allclose(factor.lower @ factor.solve_lower(right), right, atol=1e-9)
    assert factor.log_determinant() == pytest.approx(np.linalg.slogdet(matrix)[1])


def test_a_row_that_was_there_before_leaves_it_usable() -> None:
    factor = CholeskyFactor(np.ones((1, 1))).appended(np.ones(1), 1.0)
    assert np.isfinite(factor.solve(np.ones(2))).all()


def test_what_is_not_positive_definite_is_refused() -> None:
    with pytest.raises(np.linalg.LinAlgError):
        CholeskyFactor(np.array([[1.0, 2.0], [2.0, 1.0]]))
