"""What of a layer runs: one value of each of its sizes, or a mixture of several."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["Choices", "Size", "average", "distribution", "largest", "mixed", "only", "shares"]

Choices = tuple[tuple[Any, "Tensor | None"], ...]
"""Values, each with the scalar that it weighs in a mixture; None weighs one."""


def only(value: Any) -> Choices:
    """Return the choice of a single value."""
    return ((value, None),)


def mixed(x: Tensor, *weights: Tensor | None) -> Tensor:
    """Multiply by the weights that are not None."""
    for weight in weights:
        x = x if weight is None else x * weight
    return x


def largest(choices: Choices) -> int:
    """Return the largest value, a whole number."""
    return max(int(value) for value, _ in choices)


def shares(choices: Choices) -> Tensor | None:
    """Return the total weight of the choices that have a unit, for every unit: [largest value].

    A mixture of sizes is then one pass at the largest (Wan et al., FBNetV2, CVPR 2020,
    arXiv:2004.05565, sec. 3.1). None where a single value runs unweighted.

    Args:
        choices: Numbers of units; a smaller one is the first units of a larger one.
    """
    ordered = sorted(choices, key=lambda choice: int(choice[0]))
    weights = [weight for _, weight in ordered if weight is not None]
    if not weights:
        return None
    have = torch.stack(weights).flip(0).cumsum(0).flip(0)
    values = [int(value) for value, _ in ordered]
    steps = [high - low for low, high in zip([0, *values[:-1]], values, strict=True)]
    return torch.cat([total.expand(n) for total, n in zip(have, steps, strict=True)])


def distribution(choices: Choices) -> Choices:
    """Return choices that weigh |weight| / sum of |weights|: the same for a distribution.

    Numbers of experts, k and capacity are mixed by shares, which cannot be negative, as the weights
    of a code (the relaxation `unit-norm`) can. The sum is a constant to gradients: a sampled
    one-hot weight keeps its own.
    """
    if any(weight is None for _, weight in choices):
        return choices
    sizes = torch.stack([weight for _, weight in choices if weight is not None]).abs()
    values = (value for value, _ in choices)
    return tuple(zip(values, (sizes / sizes.sum().detach()).unbind(), strict=True))


def average(choices: Choices) -> float | Tensor:
    """Return the mean of numbers by their weights, without a gradient."""
    if len(choices) == 1:
        return float(choices[0][0])
    weights = [weight.detach() for _, weight in choices if weight is not None]
    products = [value * weight for (value, _), weight in zip(choices, weights, strict=True)]
    return torch.stack(products).sum() / torch.stack(weights).sum()


class Size(NamedTuple):
    """The sizes that a layer of experts runs with.

    Args:
        experts: How many run: the first ones.
        width: Hidden units of each: the first ones.
        k: Experts a token, where the router has such a number.
        capacity: Room of an expert, as a multiple of what equal loads would need.
        auxiliary: Factor of the router's auxiliary loss.
    """

    experts: Choices
    width: Choices
    k: Choices = only(1)
    capacity: Choices = only(1.0)
    auxiliary: float | Tensor = 0.0

    @property
    def most_experts(self) -> int:
        """The largest number of experts that runs."""
        return largest(self.experts)

    @property
    def most_width(self) -> int:
        """The largest width that runs."""
        return largest(self.width)

    @property
    def is_single(self) -> bool:
        """Whether experts, k and capacity have one value each, so that the room is known."""
        return len(self.experts) == len(self.k) == len(self.capacity) == 1
