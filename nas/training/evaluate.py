"""How well a plain network does on a task: loss and accuracy, and what may go wrong meanwhile."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from nas.costs import evaluating, watching
from nas.errors import NasError
from nas.task import Output, Task

__all__ = ["Diverged", "Meter", "OutOfMemory", "evaluate", "memory_errors"]

READ_EVERY = 16
"""Steps between two looks at the losses."""

READ_NUMBERS = 2**22
"""The most logits to keep until then: those of tokens are many."""


class Diverged(NasError):
    """The loss became infinite or not a number."""


class OutOfMemory(NasError):
    """The device's memory did not suffice."""


def evaluate(
    network: nn.Module, task: Task, split: str, batch_size: int = 256, *, group: str = "train"
) -> dict[str, float]:
    """Return the metrics of a network over a whole split: the task's, and the network's own.

    Args:
        network: On the task's device; it is run in evaluation mode, without gradients.
        task: Data, loss and metric.
        split: Such as "valid".
        batch_size: Examples at once; it does not change the result beyond rounding.
        group: Whose settings to name when it fails, such as "evaluator".

    Raises:
        Diverged: When the loss is not finite.
        OutOfMemory: When a batch does not fit.
    """
    meter = Meter(task, f"on '{split}'", group)
    errors = memory_errors(batch_size, group)
    with evaluating(network), torch.no_grad(), errors, watching(network) as own:
        for x, y in task.batches(split, batch_size):
            output = network(x)
            meter.add(task.loss(output, y), output, y)
        return task.metrics(**meter.read()) | own()


class Meter:
    """Mean loss and accuracy over steps, which are read in groups: reading waits for the device.

    Args:
        task: What knows how many examples are correct.
        where: The steps' place, such as "in epoch 3", for the message of `Diverged`.
        group: Whose settings that message names.
    """

    def __init__(self, task: Task, where: str, group: str = "train") -> None:
        self.task, self.where, self.group = task, where, group
        self.means: dict[str, float] = {}  # of the steps read so far
        self._pending: list[tuple[Tensor, Tensor, Tensor]] = []
        self._steps = self._examples = self._correct = self._waiting = 0
        self._loss = 0.0

    def add(self, loss: Tensor, output: Output, target: Tensor) -> None:
        """Take what one step gave: its mean loss, what the network returned, its labels."""
        logits = output if isinstance(output, Tensor) else output[0]
        assert logits is not None
        self._pending.append((loss.detach(), logits.detach(), target))
        self._waiting += logits.numel()
        if len(self._pending) == READ_EVERY or self._waiting >= READ_NUMBERS:
            self.read()

    def read(self) -> dict[str, float]:
        """Return "loss" and "accuracy" over all steps; raises `Diverged` for an infinite loss."""
        if self._pending:
            losses, logits, targets = zip(*self._pending, strict=True)
            for loss, target in zip(torch.stack(losses).tolist(), targets, strict=True):
                self._steps += 1
                self._require_finite(loss)
                self._loss += loss * target.numel()
                self._examples += target.numel()
            self._correct += self.task.correct(torch.cat(logits), torch.cat(targets))
            self._pending.clear()
            self._waiting = 0
            loss, accuracy = self._loss / self._examples, self._correct / self._examples
            self.means = {"loss": loss, "accuracy": accuracy}
        return self.means

    def _require_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise Diverged(
                f"the loss became {loss} {self.where}, step {self._steps}; lower "
                f"{self.group}.learning_rate, or set {self.group}.grad_clip"
            )


@contextmanager
def memory_errors(batch_size: int, group: str = "train") -> Iterator[None]:
    """Turn the several errors that tell of too little memory into one clear one."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # torch.cuda.OutOfMemoryError is a RuntimeError
        signs = ("out of memory", "can't allocate memory", "not enough memory")
        if isinstance(error, RuntimeError) and not any(sign in str(error) for sign in signs):
            raise
        raise OutOfMemory(
            f"out of memory with batches of {batch_size} examples; lower {group}.batch_size, or "
            "the network's channels or layers"
        ) from error
