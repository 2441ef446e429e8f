"""Arrays that are as small as a task may be."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["tiny_arrays"]


def tiny_arrays() -> dict[str, Any]:
    """40 random images of 3 classes, and 12 for test."""
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.normal(size=(40, 3, 8, 8)).astype("float32"),
        "y_train": np.arange(40) % 3,
        "x_test": rng.normal(size=(12, 3, 8, 8)).astype("float32"),
        "y_test": np.arange(12) % 3,
    }
