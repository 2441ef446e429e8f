"""An ensemble of gradient-boosted regression trees on one-hot encodings.

Source: Friedman, Stochastic Gradient Boosting, 2002; as a predictor of performance: White et al.,
How Powerful are Performance Predictors in NAS?, NeurIPS 2021, arXiv:2104.01177.
"""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor

from nas.predictors.predictor import Array, EncodingPredictor

__all__ = ["BoostedTrees"]

_MEMBERS = 5


class BoostedTrees(EncodingPredictor):
    """Members fit every tree to another random half; their spread is the standard deviation.

    Bootstrap samples would spread more, but predict worse from the few measurements of a search.
    """

    def _fit(self, x: Array, y: Array) -> None:
        rng = np.random.default_rng(self.seed)
        self._members = []
        for _ in range(_MEMBERS):
            seed = int(rng.integers(2**31))
            member = GradientBoostingRegressor(subsample=0.5, random_state=seed)
            self._members.append(member.fit(x, y))

    def _predict(self, x: Array) -> tuple[Array, Array]:
        each = np.stack([member.predict(x) for member in self._members])
        return each.mean(0), each.std(0)
