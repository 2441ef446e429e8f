"""What a regulariser is: a term of the gates' loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

__all__ = ["Regulariser"]


class Regulariser(Protocol):
    """A penalty on the gates."""

    def penalty(self, logits: Mapping[str, Tensor]) -> Tensor:
        """Return the unscaled penalty, a scalar, for the logits of every gate, [options] each."""
