"""What results of another task say of this one, as the mean of a Gaussian process.

Sources: Golovin et al., Google Vizier, KDD 2017, sec. 3.3 (a stack of processes, each on what those
before leave over); how far to trust another task is learned as a coefficient, cf. Wistuba et al.,
Scalable Gaussian Process-Based Transfer Surrogates, Machine Learning 2018.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nas.kernels import Features, WeisfeilerLehman, WLGaussianProcess
from nas.space import Architecture
from nas.strategies.ranks import normal_scores

__all__ = ["TaskPrior"]

Floats = NDArray[np.float64]

LEAST = 5
"""Results that a prior is made of."""
_MOST = 400  # results, evenly taken by rank: a process takes the cube of them
_EXPECTED = 0.5  # coefficient before anything is known
_WEIGHT = 4.0  # of that, in results whose prior mean deviates by one


class TaskPrior:
    """The posterior mean of a process on the normal scores of the other task's results.

    The other task counts with a coefficient: that of the ridge regression of this task's targets
    on the prior mean, which starts at a half and is never below 0. So a prior that is of no use,
    or says the opposite, counts less with every result.

    Args:
        wl: Makes features of architectures.
        results: Architecture -> score on the other task, at least five; -inf is a failure.
    """

    def __init__(self, wl: WeisfeilerLehman, results: Mapping[Architecture, float]) -> None:
        self.wl = wl
        self.results = dict(results)
        order = sorted(self.results, key=self.results.__getitem__)
        targets = normal_scores([self.results[a] for a in order])
        some = np.unique(np.linspace(0, len(order) - 1, min(len(order), _MOST)).astype(np.int64))
        self.model = WLGaussianProcess(wl.space, wl=wl)
        self.model.fit([order[i] for i in some], targets[some])

    def state_dict(self) -> list[tuple[list[int], float]]:
        """Return what it was made of."""
        return [(list(a.choices), score) for a, score in self.results.items()]

    def mean(self, features: Features) -> Floats:
        """Return what the other task lets expect, as a normal score, [n]."""
        return self.model.predict_features(features)[0]

    def coefficient(self, architectures: Sequence[Architecture], targets: Floats) -> float:
        """Return how far it is to be trusted, after results of this task.

        Args:
            architectures: Of which something is known, n.
            targets: Of them, [n].
        """
        if not len(targets):
            return _EXPECTED
        spread = targets.std() or 1.0
        mean = self.mean(self.wl.features(architectures))
        mean, own = mean - mean.mean(), (targets - targets.mean()) / spread
        slope = (_WEIGHT * _EXPECTED + mean @ own) / (_WEIGHT + mean @ mean)
        return float(spread * max(slope, 0.0))
