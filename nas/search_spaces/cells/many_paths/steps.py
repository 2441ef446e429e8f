"""Where steps are written down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from torch import Tensor

from nas.search_spaces.cells.many_paths.images import Convolution

__all__ = ["Norm", "Steps"]

Norm = tuple[Tensor | None, Tensor | None, float]
"""Scale and shift of batch norm, [C] each or None, and what is added to the variance."""


class Steps(Protocol):
    """Where steps are written down; values are the numbers of steps. See `nas.evaluators.scoring`.

    All steps but batch norm treat every example on its own.
    """

    @property
    def input(self) -> int:
        """The images, [B, C, H, W]."""

    def apply(self, name: str, function: Callable[..., Tensor], *values: int) -> int:
        """Apply a function that changes none of its arguments."""

    def normalise(self, name: str, norm: Norm, value: int) -> int:
        """Apply batch norm."""

    def convolve(
        self,
        name: str,
        function: Convolution,
        weight: Tensor,
        norm: Norm,
        value: int,
    ) -> int:
        """Apply a convolution, a function of inputs, weight and bias, and batch norm."""

    def add(self, values: Sequence[int]) -> int:
        """Add tensors."""
