"""Weisfeiler-Lehman features of graphs, and the Gaussian process on them."""

from __future__ import annotations

from nas.kernels.acquisition import log_expected_improvement
from nas.kernels.gaussian_process import Hyperparameters, WLGaussianProcess
from nas.kernels.structure import ABSENT, Label, Structure, structure_of
from nas.kernels.weisfeiler_lehman import Features, WeisfeilerLehman

__all__ = [
    "ABSENT", "Features", "Hyperparameters", "Label", "Structure", "WLGaussianProcess",
    "WeisfeilerLehman", "log_expected_improvement", "structure_of",
]  # fmt: skip
