"""What of a layer runs: one value of each of its sizes, or a mixture of several."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

__all__ = ["Choices", "Size", "mixed", "only"]

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
        return max(int(value) for value, _ in self.experts)

    @property
    def is_single(self) -> bool:
        """Whether experts, k and capacity have one value each, so that the room is known."""
        return len(self.experts) == len(self.k) == len(self.capacity) == 1
