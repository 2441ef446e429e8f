"""Expected improvement.

Sources: Mockus, 1975; in logarithms Ament et al., Unexpected Improvements to Expected
Improvement, NeurIPS 2023, arXiv:2310.20708, eq. 9.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, ndtr

__all__ = ["log_expected_improvement"]

_LOG_ROOT = 0.5 * np.log(2 * np.pi)


def log_expected_improvement(
    mean: NDArray[np.float64], std: NDArray[np.float64], best: float
) -> NDArray[np.float64]:
    """Return log E[max(f - best, 0)] for Gaussian f, also where the expectation underflows.

    Args:
        mean: Of f, [n].
        std: Of f, [n], positive.
        best: What is to be improved on, in the same unit.
    """
    z = (mean - best) / std
    upper = np.maximum(z, -1.0)
    near = np.log(np.exp(-0.5 * upper**2 - _LOG_ROOT) + upper * ndtr(upper))
    depth = np.clip(-z, 1.0, 1e6)
    tail = np.log1p(-depth * np.sqrt(np.pi / 2) * erfcx(depth / np.sqrt(2)))
    far = -0.5 * depth**2 - _LOG_ROOT + tail
    improvement: NDArray[np.float64] = np.where(z > -1.0, near, far) + np.log(std)
    return improvement
