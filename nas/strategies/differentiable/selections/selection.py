"""What a selection is: trained gates become the scores that an architecture is derived from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from nas.space import Scores

if TYPE_CHECKING:
    from nas.progress import Progress
    from nas.strategies.differentiable.protocols import Batch, GateTraining

__all__ = ["Data", "Selection"]


class Data(Protocol):
    """The two halves of the data, for selections that measure."""

    progress: Progress

    def train_batches(self, epoch: int) -> Iterable[Batch]:
        """Return shuffled, augmented batches of the weights' half; another order every epoch."""

    def valid_batches(self) -> Iterable[Batch]:
        """Return the gates' half, in order."""

    def gate_batches(self, epoch: int) -> Iterable[Batch]:
        """Return shuffled, augmented batches of the gates' half, without end."""


class Selection(Protocol):
    """One rule that decides which options stay."""

    def scores(self, strategy: GateTraining, data: Data) -> Scores:
        """Return how strong every option of every gate is, [options] each."""
