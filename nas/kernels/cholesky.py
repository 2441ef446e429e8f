"""A Cholesky factor that grows with its matrix."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

__all__ = ["CholeskyFactor"]

Matrix = NDArray[np.float64]

_LEAST = 1e-10  # below this a pivot is rounding


class CholeskyFactor:
    """The lower triangular L with L L' = A, for a symmetric positive definite A.

    Args:
        matrix: A, [n, n].

    Raises:
        numpy.linalg.LinAlgError: It is not positive definite.
    """

    def __init__(self, matrix: Matrix) -> None:
        self.lower: Matrix = np.asfortranarray(cholesky(matrix, lower=True, check_finite=False))

    def __len__(self) -> int:
        return len(self.lower)

    def appended(self, column: Matrix, corner: float) -> CholeskyFactor:
        """Return the factor of A with one more row and column, in O(n^2); this one stays.

        Args:
            column: What the new row has in the old columns, [n].
            corner: What it has on the diagonal.
        """
        n = len(self)
        row = self.solve_lower(column)
        lower = np.zeros((n + 1, n + 1), order="F")
        lower[:n, :n] = self.lower
        lower[n, :n] = row
        lower[n, n] = max(float(corner - row @ row), _LEAST) ** 0.5
        grown = object.__new__(CholeskyFactor)
        grown.lower = lower
        return grown

    def solve_lower(self, right: Matrix) -> Matrix:
        """Return L^-1 b, for b of shape [n] or [n, m]."""
        solution: Matrix = solve_triangular(self.lower, right, lower=True, check_finite=False)
        return solution

    def solve(self, right: Matrix) -> Matrix:
        """Return A^-1 b, for b of shape [n] or [n, m]."""
        half = self.solve_lower(right)
        solution: Matrix = solve_triangular(
            self.lower, half, trans="T", lower=True, check_finite=False
        )
        return solution

    def log_determinant(self) -> float:
        """Return log det A."""
        return 2.0 * float(np.log(np.diagonal(self.lower)).sum())
