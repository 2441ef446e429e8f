"""How likely architectures keep limits that are measured.

Sources: Gardner et al., Bayesian Optimization with Inequality Constraints, ICML 2014; Gelbart,
Snoek & Adams, Bayesian Optimization with Unknown Constraints, UAI 2014, arXiv:1403.5607.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from nas.kernels import (
    Features,
    Hyperparameters,
    WeisfeilerLehman,
    WLGaussianProcess,
    log_expected_improvement,
)
from nas.space import Architecture
from nas.strategies.ranks import normal_scores
from nas.strategies.task_prior import TaskPrior

__all__ = ["Belief", "LimitModels", "condition"]

Floats = NDArray[np.float64]


def condition(
    model: WLGaussianProcess, architectures: Sequence[Architecture], scores: Floats
) -> None:
    """Condition a process on scores of architectures, anew where the known ones do not begin them.

    Args:
        model: The process.
        architectures: All that is known, n.
        scores: Of them, [n].
    """
    known = len(model.architectures)
    if known and list(architectures[:known]) == model.architectures:
        model.update(architectures, scores)
    else:
        model.fit(architectures, scores)


class LimitModels:
    """A Gaussian process a limit that some result broke; the others are taken for granted.

    It models by how much the limit is broken or kept (`Objective.excesses`), as the normal score
    of its rank. The limit itself ranks among the results.

    Args:
        wl: Makes features of architectures.
    """

    def __init__(self, wl: WeisfeilerLehman) -> None:
        self.wl = wl
        self.models: dict[int, WLGaussianProcess] = {}
        """By the limit's place in the objective."""
        self.bounds: dict[int, float] = {}
        """What the limit itself is, in the unit of each model."""

    @property
    def keys(self) -> NDArray[np.uint64]:
        """What the kernel sees of all that it knows; see `Features.keys`."""
        return np.concatenate([model.features.keys for model in self.models.values()])

    def __bool__(self) -> bool:
        return bool(self.models)

    # -- learning -----------------------------------------------------------------------------

    def update(self, architectures: Sequence[Architecture], excesses: Floats) -> None:
        """Learn from results.

        Args:
            architectures: All of which limits were measured, n.
            excesses: Of them, [n, limits]; NaN where a limit's metric was not measured.
        """
        broken = np.flatnonzero((excesses > 0).any(0)).tolist() if len(excesses) else []
        self.models = {limit: self.models.get(limit) or self._model() for limit in broken}
        for limit in broken:
            known = np.flatnonzero(np.isfinite(excesses[:, limit])).tolist()  # was it measured?
            ranked = normal_scores([*excesses[known, limit], 0.0])
            self.bounds[limit] = float(ranked[-1])
            condition(self.models[limit], [architectures[at] for at in known], ranked[:-1])

    def _model(self) -> WLGaussianProcess:
        return WLGaussianProcess(self.wl.space, wl=self.wl)

    def fantasised(self, architectures: Sequence[Architecture]) -> LimitModels:
        """Return models that believe their own mean of architectures under evaluation."""
        believer = copy.copy(self)
        believer.models = {n: m.fantasised(architectures) for n, m in self.models.items()}
        return believer

    # -- predicting ---------------------------------------------------------------------------

    def log_feasible(self, features: Features) -> Floats:
        """Return the logarithm of the probability that all limits are kept, [n]."""
        total = np.zeros(len(features))
        for limit, model in self.models.items():
            mean, std = model.predict_features(features)
            total += log_ndtr((self.bounds[limit] - mean) / std)
        return total

    # -- state --------------------------------------------------------------------------------

    def state_dict(self) -> list[Any]:
        """Return what the models were conditioned on when their hyper-parameters were chosen."""
        return [
            [
                limit,
                [list(a.choices) for a in model.architectures[: model.fitted]],
                [model.chosen.variant, model.chosen.level, model.chosen.noise],
            ]
            for limit, model in self.models.items()
        ]

    def load_state_dict(self, state: list[Any]) -> None:
        """Continue from what `state_dict` returned."""
        self.models = {}
        for limit, rows, chosen in state:
            known = [Architecture(self.wl.space.name, tuple(row)) for row in rows]
            self.models[limit] = self._model()
            self.models[limit].condition(known, Hyperparameters(*chosen))


@dataclass(frozen=True)
class Belief:
    """What is thought of architectures that were not evaluated.

    Args:
        model: Of the objective; None while nothing is known that keeps the limits.
        incumbent: The best that keeps the limits, in the model's unit.
        limits: Of the limits.
        prior: What another task lets expect; the model is of what that leaves over.
        trust: The coefficient of the prior.
    """

    model: WLGaussianProcess | None
    incumbent: float
    limits: LimitModels
    prior: TaskPrior | None = None
    trust: float = 0.0

    def believing(self, architectures: Sequence[Architecture]) -> Belief:
        """Return what is thought if architectures under evaluation come out as predicted."""
        model = self.model and self.model.fantasised(architectures)
        return replace(self, model=model, limits=self.limits.fantasised(architectures))

    def gains(self, features: Features) -> Floats:
        """Return the logarithm of the expected improvement by what keeps the limits, [n]."""
        gains = self.limits.log_feasible(features)
        if self.model is not None:
            mean, std = self.model.predict_features(features)
            if self.prior is not None:
                mean = mean + self.trust * self.prior.mean(features)
            gains = gains + log_expected_improvement(mean, std, self.incumbent)
        return gains

    def knows(self, features: Features) -> NDArray[np.bool_]:
        """Tell of which architectures the kernel has seen the like, [n]."""
        keys = [self.model.features.keys] if self.model else []
        keys += [self.limits.keys] if self.limits else []
        return np.isin(features.keys, np.concatenate(keys))
