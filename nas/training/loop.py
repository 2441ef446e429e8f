"""The epochs of one training: batches, steps, the schedule, and what is measured of them.

An epoch's random numbers follow from the seed and the epoch alone, so that an interrupted training
goes on as if it had not been: on the CPU with the very same numbers.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor, nn

from nas.progress import Bar, Progress
from nas.storage import seed_everything, seed_of
from nas.task import Input, Output, Task
from nas.training.best_epoch import BestEpoch
from nas.training.evaluate import Meter, evaluate, memory_errors
from nas.training.optimizers import make_optimizer
from nas.training.precision import as_float, autocast
from nas.training.settings import TrainSettings

__all__ = ["Log", "Stop", "Training"]

Log = Callable[[dict[str, Any]], None]
"""Takes one record, such as those of `log.jsonl`."""
Stop = Callable[[int, Callable[[], dict[str, float]]], bool]
"""Asked after an epoch: epochs done, and what returns "accuracy" and "loss" as they now are."""


@dataclass
class Training:
    """A network on its way through the epochs; the arguments are those of `nas.training.fit`."""

    network: nn.Module
    task: Task
    settings: TrainSettings
    split: str
    evaluate_on: str
    each_epoch: bool
    seed: int
    history: list[dict[str, float]] = field(default_factory=list)
    shown: dict[str, float] = field(default_factory=dict)  # beside the bar, until the next reading

    def __post_init__(self) -> None:
        s, weights = self.settings, self.network.parameters()
        self.optimizer = make_optimizer(
            s.optimizer, weights, s.learning_rate, s.momentum, s.weight_decay
        )
        self.best = BestEpoch(self.network)
        smoothing = s.label_smoothing
        if smoothing is None:
            smoothing = self.task.label_smoothing
        self.smoothed = replace(self.task, label_smoothing=smoothing)
        self.drop_last = self.task.leaves_one(self.split, s.batch_size)
        self.steps = self.task.steps(self.split, s.batch_size, drop_last=self.drop_last)

    # -- epochs -------------------------------------------------------------------------------

    def run(
        self, progress: Progress, log: Log | None, stop: Stop | None, save: Callable[[], None]
    ) -> None:
        """Run the epochs that are left; `save` is called after each."""
        epochs, done = self.settings.epochs, len(self.history)
        with progress.bar("training", epochs * self.steps, done * self.steps) as bar:
            for epoch in range(done, epochs):
                record = self._epoch(epoch, bar)
                self.history.append(record)
                if self.settings.keep == "best":
                    self.best.compare(record)
                save()
                if log:
                    log({"event": "epoch", "phase": "train", "epochs": epochs, **record})
                if stop and stop(epoch + 1, self.evaluate):
                    break

    def _epoch(self, epoch: int, bar: Bar) -> dict[str, float]:
        """Run one epoch, counted from 0; return its record."""
        start = time.perf_counter()
        seed_everything(seed_of(self.seed, "train", epoch))
        rate = self._schedule(epoch / self.settings.epochs)
        self._train(epoch, bar)
        found = _prefixed("train", self.shown) | self._measured()
        seconds = time.perf_counter() - start
        return {"epoch": epoch + 1, "learning_rate": rate, **found, "seconds": seconds}

    def _train(self, epoch: int, bar: Bar) -> None:
        """Take the steps of an epoch."""
        group = self.settings.group
        meter = Meter(self.task, f"in epoch {epoch + 1}", group)
        self.network.train()
        with memory_errors(self.settings.batch_size, group):
            for x, y in self._batches(epoch):
                meter.add(*self._step(x, y), y)
                self.shown = meter.means or self.shown
                bar.advance(**self.shown)
            self.shown = meter.read()

    def _measured(self) -> dict[str, float]:
        """Evaluate where that was asked for after every epoch."""
        found: dict[str, float] = {}
        if self.each_epoch:
            found |= _prefixed(self.evaluate_on, self.evaluate())
        if self.settings.keep == "best" and "valid_accuracy" not in found:
            found |= _prefixed("valid", self.evaluate("valid"))
        return found

    def evaluate(self, split: str | None = None) -> dict[str, float]:
        """Return the metrics of the network as it now is, on a split or on `evaluate_on`."""
        s = self.settings
        where = split or self.evaluate_on
        return evaluate(self.network, self.task, where, s.batch_size, group=s.group)

    def finish(self) -> dict[str, float]:
        """Evaluate the trained network, with the best epoch's weights where those are kept."""
        last = {name: self.history[-1][name] for name in ("train_accuracy", "train_loss")}
        last |= self.best.take()
        return {**self.evaluate(), **last}

    # -- steps --------------------------------------------------------------------------------

    def _schedule(self, fraction: float) -> float:
        """Set learning rate and drop path for a fraction of the epochs; return the former."""
        rate = self.settings.learning_rate
        if self.settings.schedule == "cosine":
            rate *= (1 + math.cos(math.pi * fraction)) / 2
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        set_drop_path = getattr(self.network, "set_drop_path", None)
        if set_drop_path:
            set_drop_path(self.settings.drop_path * fraction)
        return rate

    def _batches(self, epoch: int) -> Iterator[tuple[Any, Tensor]]:
        settings, shape = self.settings, self.task.input_shape
        cutout = settings.cutout
        if cutout is None and len(shape) == 3:
            cutout = min(shape[1:]) // 2
        return self.task.batches(
            self.split,
            settings.batch_size,
            seed=seed_of(self.seed, "batches", epoch),
            augment=settings.augment,
            drop_last=self.drop_last,
            cutout=cutout,
        )

    def _step(self, x: Input, y: Tensor) -> tuple[Tensor, Output]:
        """Make one step on a batch; return its loss and the network's output."""
        self.optimizer.zero_grad()
        with autocast(self.settings.precision, x.device):
            output: Output = as_float(self.network(x))
        loss = self.smoothed.loss(output, y)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.settings.grad_clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.grad_clip)
        self.optimizer.step()
        return loss, output


def _prefixed(prefix: str, figures: dict[str, float]) -> dict[str, float]:
    return {f"{prefix}_{name}": value for name, value in figures.items()}
