"""What a predictor is: it learns one metric from measured architectures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nas.errors import NasError
from nas.space import Architecture, SearchSpace

__all__ = ["Array", "EncodingPredictor", "Predictor", "Scores", "standardised"]

Array = NDArray[np.float64]
Scores = Sequence[float] | Array


class Predictor(ABC):
    """Fit to scores, predict those of other architectures.

    The same architectures, scores and seed give the same predictions.

    Args:
        space: Whose architectures.
        seed: Of every random choice.
    """

    def __init__(self, space: SearchSpace, seed: int = 0) -> None:
        self.space, self.seed = space, seed

    @abstractmethod
    def fit(self, architectures: Sequence[Architecture], scores: Scores) -> Predictor:
        """Learn afresh from measured architectures, at least two; return itself.

        Raises:
            NasError: If there are fewer, or not as many scores.
        """

    @abstractmethod
    def predict(self, architectures: Sequence[Architecture]) -> tuple[Array, Array]:
        """Return predictions [n], in the scores' unit, and their standard deviations [n]."""

    @staticmethod
    def check(architectures: Sequence[Architecture], scores: Scores) -> None:
        """Refuse what cannot be fitted to."""
        if len(architectures) < 2 or len(architectures) != len(scores):
            raise NasError(
                f"{len(architectures)} architectures and {len(scores)} scores: a predictor needs "
                "at least two, and as many of both"
            )


def standardised(values: Array) -> tuple[Array, float, float]:
    """Return values [n] with mean 0 and deviation 1 (all 0 where they are equal), and these two."""
    mean, scale = float(values.mean()), float(values.std()) or 1.0
    return (values - mean) / scale, mean, scale


class EncodingPredictor(Predictor):
    """A predictor on one-hot encodings (`space.encode`) of standardised scores."""

    def fit(self, architectures: Sequence[Architecture], scores: Scores) -> Predictor:
        self.check(architectures, scores)
        x, values = self._encode(architectures), np.asarray(scores, dtype=np.float64)
        self._choose(x, values)
        y, self._mean, self._scale = standardised(values)
        self._fit(x, y)
        return self

    def predict(self, architectures: Sequence[Architecture]) -> tuple[Array, Array]:
        mean, std = self._predict(self._encode(architectures))
        return mean * self._scale + self._mean, std * self._scale

    def _encode(self, architectures: Sequence[Architecture]) -> Array:
        """Return encodings [n, d]."""
        return self.space.encode(architectures)

    def _choose(self, x: Array, values: Array) -> None:
        """Choose what to fit by encodings [n, d] and scores [n]; by default there is no choice."""
        del x, values

    @abstractmethod
    def _fit(self, x: Array, y: Array) -> None:
        """Learn from encodings [n, d] and scores [n] of mean 0 and deviation 1 (or all 0)."""

    @abstractmethod
    def _predict(self, x: Array) -> tuple[Array, Array]:
        """Return means [n] and standard deviations [n] for encodings [n, d]."""
