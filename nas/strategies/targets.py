"""What a surrogate is fitted to: ranks of scores, scores, or the logarithm of the error."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nas.errors import NasError
from nas.strategies.ranks import normal_scores

__all__ = ["TARGETS", "targets_of"]

TARGETS = ("ranks", "values", "log")
_LEAST = 1e-9  # error


def targets_of(scores: Sequence[float], kind: str, sign: int = 1) -> NDArray[np.float64]:
    """Return finite targets, larger for the better; failures (-inf) count as the worst score.

    Args:
        scores: Metrics, their sign turned where less is better, [n].
        kind: "ranks" (normal scores), "values", or "log": less the logarithm of the error, which is
            one less a metric that is to be large (a share), or a metric that is to be small.
        sign: -1 where less of the metric is better.

    Raises:
        NasError: For "log" of what is no error.
    """
    if kind == "ranks":
        return normal_scores(scores)
    values = np.asarray(scores, dtype=np.float64)
    finite = values[np.isfinite(values)]
    values = np.where(np.isfinite(values), values, finite.min() if len(finite) else 0.0)
    if kind == "values":
        return values
    errors = -values if sign < 0 else 1 - values
    if errors.min() < 0:
        raise NasError(
            f"strategy.targets=log: an error of {errors.min():.6g} has no logarithm (it is one "
            "less a share to be maximised, or the metric to be minimised); take ranks or values"
        )
    targets: NDArray[np.float64] = -np.log(np.maximum(errors, _LEAST))
    return targets
