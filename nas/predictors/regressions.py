"""Ridge and support-vector regression on one-hot encodings, with penalties chosen by validation.

Source: Cummings et al., A Hardware-Aware Framework for Accelerating Neural Architecture Search
Across Modalities (DyNAS-T), arXiv:2205.10358, sec. 3, where they are LINAS's predictors.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_percentage_error
from sklearn.model_selection import KFold
from sklearn.svm import SVR

from nas.predictors.predictor import Array, EncodingPredictor, standardised

__all__ = ["RidgeOrSupportVectors", "RidgeRegression", "SupportVectors"]

_FOLDS = 5
_ALPHAS = (0.1, 0.3, 1.0, 3.0, 10.0)
_COSTS = (1.0, 3.0, 10.0, 30.0, 100.0)


class _Validated(EncodingPredictor):
    """The model with the smallest mean absolute percentage error over 5 folds, fitted to all.

    The standard deviation is the same for all predictions: of the errors of what was left out.
    """

    @abstractmethod
    def _models(self) -> list[Any]:
        """Return the scikit-learn regressors to choose between."""

    def _choose(self, x: Array, values: Array) -> None:
        models = self._models()
        folds = KFold(min(_FOLDS, len(x)), shuffle=True, random_state=0)
        found = [_left_out(model, x, values, list(folds.split(x))) for model in models]
        errors = [mean_absolute_percentage_error(values, predicted) for predicted in found]
        best = int(np.argmin(errors))
        self.model = models[best]
        self._error = float(np.sqrt(np.mean((found[best] - values) ** 2)))

    def _fit(self, x: Array, y: Array) -> None:
        self.model.fit(x, y)

    def _predict(self, x: Array) -> tuple[Array, Array]:
        return self.model.predict(x), np.full(len(x), self._error / self._scale)


def _left_out(model: Any, x: Array, values: Array, folds: list[Any]) -> Array:
    """Return predictions [n] for values [n], each by a model that has not seen it."""
    predicted = np.empty_like(values)
    for train, test in folds:
        y, mean, scale = standardised(values[train])
        predicted[test] = model.fit(x[train], y).predict(x[test]) * scale + mean
    return predicted


def _ridges() -> list[Any]:
    return [Ridge(alpha=alpha) for alpha in _ALPHAS]


def _support_vectors() -> list[Any]:
    return [SVR(kernel="rbf", gamma="auto", epsilon=0.0, C=cost) for cost in _COSTS]


class RidgeRegression(_Validated):
    """Linear, with a penalty alpha of 0.1 to 10."""

    def _models(self) -> list[Any]:
        return _ridges()


class SupportVectors(_Validated):
    """Support-vector regression with a radial basis function, C 1 to 100."""

    def _models(self) -> list[Any]:
        return _support_vectors()


class RidgeOrSupportVectors(_Validated):
    """Whichever of the two predicts better, as LINAS has it."""

    def _models(self) -> list[Any]:
        return [*_ridges(), *_support_vectors()]
