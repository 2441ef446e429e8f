"""Training a supernet on between two decisions of a selection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas.strategies.differentiable.schedules import cosine

if TYPE_CHECKING:
    from nas.progress import Bar
    from nas.strategies.differentiable.protocols import GateTraining
    from nas.strategies.differentiable.selections.selection import Data

__all__ = ["Tuning"]

_SLOWER = 10


class Tuning:
    """Epochs of the search's own steps, by a fresh optimiser at a tenth of its learning rate.

    Gates that are not decided train on, as in the authors' code. The learning rate falls along a
    cosine over all epochs of tuning to the search's lowest (the authors' code makes this schedule
    and never steps it).

    Args:
        strategy: Whose supernet and gates train; its optimiser of the weights is replaced.
        data: The two halves.
        decisions: After how many of them it will be tuned.
    """

    def __init__(self, strategy: GateTraining, data: Data, decisions: int) -> None:
        self.strategy, self.data = strategy, data
        settings = strategy.settings
        self.total = decisions * settings.perturbation_epochs
        self.done = 0
        self.high = settings.weight_lr / _SLOWER
        self.low = min(self.high, settings.weight_lr_min)
        if self.total:
            strategy.weight_optimizer = strategy.fresh_weight_optimizer(self.high)

    def run(self, bar: Bar) -> None:
        """Train for as many epochs as belong to one decision."""
        for _ in range(self.strategy.settings.perturbation_epochs):
            self._epoch()
            bar.advance()

    def _epoch(self) -> None:
        for group in self.strategy.weight_optimizer.param_groups:
            group["lr"] = cosine(self.done, self.total, self.high, self.low)
        number = self.strategy.settings.epochs + self.done  # those before belong to the search
        halves = self.data.train_batches(number), self.data.gate_batches(number)
        for train_batch, valid_batch in zip(*halves, strict=False):
            self.strategy.step(train_batch, valid_batch)
        self.done += 1
