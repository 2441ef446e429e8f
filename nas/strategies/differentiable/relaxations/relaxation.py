"""What a relaxation is: logits over a gate become the weights that a supernet runs with."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

__all__ = ["Relaxation"]


class Relaxation(ABC):
    """From logits to weights, in training, and to scores, at the end."""

    @abstractmethod
    def weights(self, logits: Tensor, temperature: float) -> Tensor:
        """Return the weights of one forward pass.

        Args:
            logits: Of gates with equally many options, [gates, options].
            temperature: Of this epoch.

        Returns:
            Weights [gates, options] that gradients flow through. Options of weight exactly zero
            are not executed and get no gradient from the network.
        """

    def scores(self, logits: Tensor) -> Tensor:
        """Return how strong every option of a gate is after training, [options]."""
        return logits.softmax(-1)
