"""Gaussian-process regression on architectures, with a Weisfeiler-Lehman kernel.

Source: Ru et al., NAS-BOWL, ICLR 2021, arXiv:2006.07556, sec. 3.1; Rasmussen & Williams,
Gaussian Processes for Machine Learning, 2006, alg. 2.1 and eq. 5.8.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nas.errors import NasError
from nas.kernels.cholesky import CholeskyFactor
from nas.kernels.weisfeiler_lehman import Direction, Features, Variant, WeisfeilerLehman, kernel
from nas.space import Architecture, SearchSpace

__all__ = ["Hyperparameters", "WLGaussianProcess", "log_marginal_likelihood"]

Vector = NDArray[np.float64]
Scores: TypeAlias = "Sequence[float] | Vector"

_NOISES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
_MOST_COMPARED = 300
_GROWTH = 1.15
_LEAST_VARIANCE = 1e-10


@dataclass(frozen=True)
class Hyperparameters:
    """What is chosen by marginal likelihood.

    Args:
        variant: Of the kernel.
        level: The largest height of subtrees.
        noise: Variance of the noise, as a share of the kernel's.
    """

    variant: Variant
    level: int
    noise: float


class WLGaussianProcess:
    """Predicts scores of architectures, and how sure it is.

    Scores are standardised. The kernel's variance is the one that makes them most likely; its
    level, its variant and the noise are tried out. That is done anew when there are 15 % more
    observations; in between, each adds a row to the Cholesky factor, in O(n^2).

    Args:
        space: Of the architectures.
        levels: The largest height of subtrees that is tried.
        variants: The kernels that are tried.
        direction: Whose labels a node takes in.
        zeros: Whether graphs keep operations whose output is zero.
        wl: What makes features, where several processes share it; the three before say nothing.
    """

    def __init__(
        self,
        space: SearchSpace,
        levels: int = 3,
        variants: Sequence[Variant] = ("dot", "assignment"),
        direction: Direction = "successors",
        zeros: bool = False,
        wl: WeisfeilerLehman | None = None,
    ) -> None:
        self.wl = wl or WeisfeilerLehman(space, levels, direction, zeros)
        self.variants = tuple(variants)
        self.architectures: list[Architecture] = []
        self.features = self.wl.features([])
        self.chosen = Hyperparameters(self.variants[0], 0, _NOISES[-1])
        self.fitted = 0
        """How many architectures there were when hyper-parameters were chosen last."""
        self._factor: CholeskyFactor | None = None
        self._set_targets(np.zeros(0))

    # -- fitting ------------------------------------------------------------------------------

    def fit(self, architectures: Sequence[Architecture], scores: Scores) -> WLGaussianProcess:
        """Choose hyper-parameters and condition on scores.

        Args:
            architectures: What was observed, at least one.
            scores: Finite numbers, one an architecture.

        Returns:
            Itself.

        Raises:
            NasError: There are none, or not as many scores, or one is not finite.
        """
        targets = _checked(architectures, scores)
        features = self.wl.features(architectures)
        chosen = choose(features, targets, self.wl.levels, self.variants)
        self.condition(architectures, chosen)
        self._set_targets(targets)
        return self

    def condition(self, architectures: Sequence[Architecture], chosen: Hyperparameters) -> None:
        """Take architectures and hyper-parameters; scores are to follow with `update`."""
        self.architectures, self.chosen = list(architectures), chosen
        self.fitted = len(self.architectures)
        self.features = self.wl.features(self.architectures)
        matrix = kernel(self.features, self.features, chosen.level, chosen.variant)
        matrix[np.diag_indices_from(matrix)] += chosen.noise
        self._factor = CholeskyFactor(matrix)

    def update(self, architectures: Sequence[Architecture], scores: Scores) -> None:
        """Condition on more architectures, and on new scores of all.

        Args:
            architectures: Those that are known, in the same order, and then new ones.
            scores: One each; those that are known may have changed.
        """
        if self._factor is None or len(architectures) >= _GROWTH * self.fitted:
            self.fit(architectures, scores)
            return
        targets = _checked(architectures, scores)
        self._append(architectures[len(self.architectures) :])
        self._set_targets(targets)

    def _append(self, new: Sequence[Architecture]) -> None:
        """Add rows to the factor, one after the other, so that it never depends on how many."""
        assert self._factor is not None
        if not new:
            return
        known = len(self.architectures)
        self.architectures = [*self.architectures, *new]
        self.features = self.wl.features(self.architectures)
        rows = kernel(self.wl.features(new), self.features, self.chosen.level, self.chosen.variant)
        for i, row in enumerate(rows, start=known):
            self._factor = self._factor.appended(row[:i], row[i] + self.chosen.noise)

    def _set_targets(self, targets: Vector) -> None:
        self.targets = targets
        self.mean = float(targets.mean()) if len(targets) else 0.0
        self.std = float(targets.std()) if len(targets) else 0.0
        self.std = self.std if self.std > 1e-12 * max(1.0, abs(self.mean)) else 1.0
        standard = (targets - self.mean) / self.std
        self.weights = standard if self._factor is None else self._factor.solve(standard)
        """K^-1 y, [n]."""
        fit = float(standard @ self.weights) / max(len(targets), 1)
        self.scale = fit if fit > 0 else 1.0
        """The kernel's variance, of standardised scores."""

    # -- predicting ---------------------------------------------------------------------------

    def predict(self, architectures: Sequence[Architecture]) -> tuple[Vector, Vector]:
        """Predict scores.

        Args:
            architectures: m of them.

        Returns:
            Mean [m] and standard deviation [m] of the score without noise, in its unit.
        """
        return self.predict_features(self.wl.features(architectures))

    def predict_features(self, features: Features) -> tuple[Vector, Vector]:
        """Predict from features, as `predict` does."""
        if self._factor is None:
            raise NasError("the Gaussian process was not fitted yet")
        cross = kernel(features, self.features, self.chosen.level, self.chosen.variant)
        mean = self.mean + self.std * (cross @ self.weights)
        half = self._factor.solve_lower(cross.T)
        variance = np.maximum(1.0 - (half * half).sum(0), _LEAST_VARIANCE)
        return mean, self.std * np.sqrt(self.scale * variance)

    def fantasised(self, architectures: Sequence[Architecture]) -> WLGaussianProcess:
        """Return one that believes its own mean of architectures under evaluation.

        Source: kriging believer, Ginsbourger et al., Kriging Is Well-Suited to Parallelize
        Optimization, 2010, sec. 4.1.
        """
        believer = copy.copy(self)
        if architectures:
            means, _ = self.predict(architectures)
            believer._append(architectures)
            # The same scale and weights: the mean does not change, the variance shrinks.
            believer.targets = np.concatenate([self.targets, means])
            believer.weights = np.concatenate([self.weights, np.zeros(len(means))])
        return believer

    def left_out(self) -> Vector:
        """Return what each observed score would be predicted as from all others, [n].

        Source: Rasmussen & Williams, eq. 5.12.
        """
        assert self._factor is not None
        inverse = self._factor.solve_lower(np.eye(len(self._factor)))
        standard = (self.targets - self.mean) / self.std
        without = standard - self.weights / (inverse * inverse).sum(0)
        predicted: Vector = self.mean + self.std * without
        return predicted


def _checked(architectures: Sequence[Architecture], scores: Scores) -> Vector:
    targets = np.asarray(scores, dtype=np.float64)
    if not len(targets) or targets.shape != (len(architectures),):
        raise NasError(f"{len(architectures)} architectures and scores of shape {targets.shape}")
    if not np.isfinite(targets).all():
        raise NasError("a score is not finite; leave failures out or replace them")
    return targets


# -- hyper-parameters -----------------------------------------------------------------------------


def log_marginal_likelihood(matrix: Vector, targets: Vector) -> float:
    """Return how likely standardised scores are, at the kernel's variance that is best for them.

    Args:
        matrix: The kernel with its noise, up to its variance, [n, n].
        targets: [n].

    Source: Rasmussen & Williams, eq. 5.8, with the variance y' K^-1 y / n put in.
    """
    factor = CholeskyFactor(matrix)
    half = factor.solve_lower(targets)
    variance = max(float(half @ half) / len(targets), 1e-12)
    n = len(targets)
    return -0.5 * (n * (math.log(2 * math.pi * variance) + 1.0) + factor.log_determinant())


def choose(
    features: Features, targets: Vector, levels: int, variants: Sequence[Variant]
) -> Hyperparameters:
    """Return the level, variant and noise that make scores most likely.

    Of more than 300 observations, 300 that lie evenly among them decide.
    """
    some = np.arange(len(targets))
    if len(some) > _MOST_COMPARED:
        some = np.linspace(0, len(targets) - 1, _MOST_COMPARED).astype(np.int64)
    targets = targets[some]
    standard = (targets - targets.mean()) / max(float(targets.std()), 1e-12)
    best, most = Hyperparameters(variants[0], 0, _NOISES[-1]), -np.inf
    for variant, level, matrix in _grams(features, some, levels, variants):
        for noise in _NOISES:
            matrix[np.diag_indices_from(matrix)] = 1.0 + noise
            likelihood = log_marginal_likelihood(matrix, standard)
            if likelihood > most:
                best, most = Hyperparameters(variant, level, noise), likelihood
    return best


def _grams(
    features: Features, some: NDArray[np.int64], levels: int, variants: Sequence[Variant]
) -> Iterator[tuple[Variant, int, NDArray[np.float64]]]:
    """Yield the kernel matrix of some rows for every variant and level."""
    for variant in variants:
        for level in range(levels + 1):
            counts = features.counts(variant, level)[some]
            norms = np.sqrt(features.squares(variant, level)[some])
            yield variant, level, (counts @ counts.T).toarray() / np.outer(norms, norms)
