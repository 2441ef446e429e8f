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
    1[z in V] p(z) / q(z): unbiased, and so is its gradient. While p is still q, the gradient of its
    logarithm is the mean of that of log p(z) over the feasible samples, which is unbiased too.

    Args:
        controller: The policy q.
        rng: What to draw with.
        n: How many samples.
    """

    def __init__(self, controller: Controller, rng: np.random.Generator, n: int) -> None:
        rows = controller.sample(rng, n).choices.numpy()
        self.n = n
        self.feasible = rows[controller.space.feasible(rows)]
        with torch.no_grad():
            self._drawn = controller.score(self.feasible).log_probs.sum(1)

    def probability(self, controller: Controller) -> Tensor:
        """Return P(V) under the present policy p, a scalar with its gradient."""
        present = controller.score(self.feasible).log_probs.sum(1)
        return (present - self._drawn).exp().sum() / self.n

    def log_probability(self, controller: Controller) -> Tensor:
        """Return log P(V); 0 without a gradient where no sample was feasible."""
        if not len(self.feasible):
            return self._drawn.new_zeros(())
        return self.probability(controller).log()
