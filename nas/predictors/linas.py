"""The predictor of LINAS: ridge regression or support vector regression, whichever fits better.

Source: Cummings et al., A Hardware-Aware Framework for Accelerating NAS Across Modalities (LINAS,
DyNAS-T), arXiv:2205.10358, sec. 3.2. Grids and criterion are those of the authors' code; their
grids' steps are coarser here, which changes little and saves most of the time.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict
from sklearn.svm import SVR

from nas.predictors.predictor import Array, EncodingPredictor

__all__ = ["Linas"]

_FOLDS = 5
_GRIDS: tuple[tuple[Any, dict[str, list[float]]], ...] = (
    (Ridge(), {"alpha": [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]}),
    (SVR(kernel="rbf", gamma="auto", epsilon=0.0, max_iter=100_000),
     {"C": [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]}),
)  # fmt: skip


class Linas(EncodingPredictor):
    """The regressor with the smaller cross-validated mean absolute percentage error.

    The standard deviation is the cross-validated root mean square error, the same for all.
    """

    def _fit(self, x: Array, y: Array) -> None:
        folds = KFold(min(_FOLDS, len(x)), shuffle=True, random_state=self.seed)
        truth = y * self._scale + self._mean  # the error is relative to what was measured

        def percentage(regressor: Any, x: Array, y: Array) -> float:
            found = regressor.predict(x) * self._scale + self._mean
            actual = y * self._scale + self._mean
            return -float(np.mean(np.abs(found - actual) / np.maximum(np.abs(actual), smallest)))

        smallest = np.finfo(np.float64).eps * max(1.0, float(np.abs(truth).max()))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            searches = [
                GridSearchCV(regressor, grid, scoring=percentage, cv=folds).fit(x, y)
                for regressor, grid in _GRIDS
            ]
            best = max(searches, key=lambda search: float(search.best_score_))
            self._regressor = best.best_estimator_
            held_out = cross_val_predict(self._regressor, x, y, cv=folds)
        self._error = float(np.sqrt(np.mean((held_out - y) ** 2)))

    def _predict(self, x: Array) -> tuple[Array, Array]:
        return self._regressor.predict(x), np.full(len(x), self._error)
