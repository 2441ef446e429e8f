"""The probability that a controller proposes something feasible, with its gradient.

Source: Yang et al., TabNAS, NeurIPS 2022, arXiv:2204.07615, sec. 3: infeasible samples are
rejected, so that the controller in effect follows p(y | V), whose policy gradient is that of
log p(y) - log P(V). P(V) is estimated by Monte Carlo.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nas.space import SearchSpace
from nas.strategies.controller.network import Controller

__all__ = ["FeasibleShare", "restricted"]


def restricted(space: SearchSpace) -> bool:
    """Tell whether a space has combinations of options that are not valid."""
    kind = type(space)
    return not (kind.constraint is SearchSpace.constraint and kind.feasible is SearchSpace.feasible)


class FeasibleShare:
    """A Monte-Carlo estimate of P(V), the probability of the feasible set, for one update.

    The estimate is the mean over N samples z of the policy q as it was when they were drawn of
    1[z in V] p(z) / q(z): unbiased, and so is its gradient. As all probabilities add up to 1, so is
    1 less the mean of 1[z not in V] p(z) / q(z), which has less variance, and costs less, where
    most samples are feasible. Which of the two must not depend on the samples.

    Args:
        controller: The policy q.
        rng: What to draw with.
        n: How many samples.
        by_infeasible: Whether to estimate 1 - P(V).
    """

    def __init__(
        self, controller: Controller, rng: np.random.Generator, n: int, by_infeasible: bool = False
    ) -> None:
        rows = controller.sample(rng, n).choices.numpy()
        feasible = controller.space.feasible(rows)
        self.n, self.found = n, float(feasible.mean())
        self._by_infeasible = by_infeasible
        self._rows = rows[feasible != by_infeasible]
        with torch.no_grad():
            self._drawn = self._log_probs(controller)

    def _log_probs(self, controller: Controller) -> Tensor:
        if not len(self._rows):
            return controller.head.new_zeros(0)
        return controller.score(self._rows).log_probs.sum(1)

    def probability(self, controller: Controller) -> Tensor:
        """Return P(V) under the present policy p, a scalar with its gradient."""
        share = (self._log_probs(controller) - self._drawn).exp().sum() / self.n
        return 1 - share if self._by_infeasible else share

    def log_probability(self, controller: Controller) -> Tensor:
        """Return log P(V); that of the smallest share N samples can show where it is below."""
        return self.probability(controller).clamp_min(1 / self.n).log()
