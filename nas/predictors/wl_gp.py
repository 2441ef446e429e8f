"""A Gaussian process with a Weisfeiler-Lehman kernel on the architectures' graphs.

Source: Ru et al., Interpretable NAS via Bayesian Optimisation with Weisfeiler-Lehman Kernels
(NAS-BOWL), ICLR 2021, arXiv:2006.07556.
"""

from __future__ import annotations

from collections.abc import Sequence

from nas.kernels import WLGaussianProcess
from nas.predictors.predictor import Array, Predictor, Scores
from nas.space import Architecture

__all__ = ["WLGP"]


class WLGP(Predictor):
    """The surrogate of strategy `bo-wl` as a predictor; it makes no random choices."""

    def fit(self, architectures: Sequence[Architecture], scores: Scores) -> Predictor:
        self.check(architectures, scores)
        self._process = WLGaussianProcess(self.space)
        self._process.fit(architectures, scores)
        return self

    def predict(self, architectures: Sequence[Architecture]) -> tuple[Array, Array]:
        mean, std = self._process.predict(architectures)
        return mean, std
