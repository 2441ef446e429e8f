"""Weisfeiler-Lehman features of graphs, and the Gaussian process on them."""

from __future__ import annotations

from nas.kernels.acquisition import log_expected_improvement
from nas.kernels.gaussian_process import Hyperparameters, WLGaussianProcess
from nas.kernels.structure import ABSENT, Label, Structure

__all__ = [
    "ABSENT", "Hyperparameters", "Label", "Structure", "WLGaussianProcess",
    "log_expected_improvement",
]  # fmt: skip
