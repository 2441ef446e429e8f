"""The loop around a differentiable strategy: epochs of gate and weight steps on a supernet."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import chain, count
from typing import Any

from nas.costs import MemoryEstimate, MemoryWatch, is_out_of_memory
from nas.errors import NasError
from nas.evaluators import leaves_one
from nas.mutables import fault, is_users, supernet_of
from nas.progress import Progress
from nas.run import Run
from nas.search.collapse import collapse, identity_counts
from nas.search.memory import estimate_search, held_tensors
from nas.space import Architecture
from nas.storage import (
    SavePace,
    load_checkpoint,
    restoring,
    save_checkpoint,
    seed_everything,
    seed_of,
)
from nas.strategies import Batch, DifferentiableStrategy
from nas.task import Task

__all__ = ["run_differentiable"]


def run_differentiable(
    run: Run, strategy: DifferentiableStrategy, task: Task, seed: int, progress: Progress
) -> Architecture:
    """Train the gates and return the architecture that they choose.

    A checkpoint follows every epoch, or several where writing it would take more than a share of
    the time, and every epoch seeds itself, so that a killed search ends as the uninterrupted one
    would have.
    """
    return _Loop(run, strategy, task, seed, progress).run_all()


class _Loop:
    """The two halves of the data, the epochs, and the watch over collapse."""

    def __init__(
        self, run: Run, strategy: DifferentiableStrategy, task: Task, seed: int, progress: Progress
    ) -> None:
        self.run, self.strategy, self.task = run, strategy, task
        self.seed, self.progress = seed, progress
        self.file = run.folder / "checkpoint" / "search.pt"
        self.saving = SavePace()
        self.done = 0
        self.stopped: Architecture | None = None
        self.last: Architecture | None = None
        self.warned = False
        settings = strategy.settings
        largest = min(settings.batch_size, max(task.size("train"), task.size("valid")))
        self.memory = MemoryWatch(
            task.device, largest, "batch_size", self._estimate, run.settings("supernet"),
            sum(tensor.nbytes for tensor in held_tensors(strategy)),
        )  # fmt: skip

    # -- data, as selections see it -----------------------------------------------------------

    def train_batches(self, epoch: int) -> Iterable[Batch]:
        """Return shuffled, augmented batches of the weights' half."""
        return self._batches("train", epoch)

    def valid_batches(self) -> Iterable[Batch]:
        """Return the gates' half, in order."""
        size = self.strategy.settings.batch_size
        drop_last = leaves_one(self.task, "valid", size)
        return self.task.batches("valid", size, drop_last=drop_last)

    def gate_batches(self, epoch: int) -> Iterable[Batch]:
        """Return shuffled, augmented batches of the gates' half, again and again."""
        return chain.from_iterable(self._batches("valid", epoch * 1000 + n) for n in count())

    def _batches(self, split: str, epoch: int) -> Iterable[Batch]:
        size = self.strategy.settings.batch_size
        return self.task.batches(
            split,
            size,
            seed=seed_of(self.seed, split, epoch),
            augment=True,
            drop_last=self.task.size(split) >= size,
        )

    # -- epochs -------------------------------------------------------------------------------

    def run_all(self) -> Architecture:
        """Run all epochs that are not done, then select."""
        self._resume()
        for number, note in enumerate(getattr(self.strategy.supernet, "notes", ())):
            self.progress.note(note)
            self.run.log_once({"event": "note", "number": number, "message": note})
        epochs = self.strategy.settings.epochs
        coming = 2 * (epochs - self.done) * self.task.size("train")
        self.memory.announce(coming, self.progress, self.run.log_once)
        with self.progress.bar("search", epochs, self.done) as bar:
            for epoch in range(self.done, epochs):
                if self.stopped:
                    break
                bar.advance(**self._epoch(epoch))
        if self.stopped:
            return self.stopped
        seed_everything(seed_of(self.seed, "select"))
        return self.run.space.derive(self.strategy.select(self))

    def _epoch(self, epoch: int) -> dict[str, float]:
        start = time.perf_counter()
        seed_everything(seed_of(self.seed, "search", epoch))
        self.strategy.begin_epoch(epoch)
        figures = self._steps(epoch)
        architecture = self.run.space.derive(self.strategy.scores())
        epochs = self.strategy.settings.epochs
        where = {"event": "epoch", "phase": "search", "epoch": epoch + 1, "epochs": epochs}
        text = {"architecture": self.run.space.format(architecture)}
        seconds = {"seconds": time.perf_counter() - start}
        identities = self._identities(architecture)
        self.run.log(where | figures | text | {"identities": identities} | seconds)
        self._watch(epoch, architecture, identities)
        self.last = architecture
        if self.stopped or epoch + 1 == epochs or self.saving.due():
            self._save(epoch + 1)
        return figures

    def _steps(self, epoch: int) -> dict[str, float]:
        """Take all steps of an epoch; return mean losses and accuracies."""
        sums: Counter[str] = Counter()
        pairs = zip(self.train_batches(epoch), self.gate_batches(epoch), strict=False)
        for train_batch, valid_batch in pairs:
            sums.update(self._step(train_batch, valid_batch))
        figures = {}
        for split in ("train", "valid"):
            if sums[f"{split}_count"]:
                examples = sums[f"{split}_count"]
                figures[f"{split}_loss"] = sums[f"{split}_loss"] / examples
                figures[f"{split}_accuracy"] = sums[f"{split}_correct"] / examples
        return figures

    def _step(self, train_batch: Batch, valid_batch: Batch) -> dict[str, float]:
        try:
            return self.strategy.step(train_batch, valid_batch)
        except NasError:
            raise
        except Exception as error:
            if not is_out_of_memory(error):
                self._explain(error)
                raise
            reason = str(error)
        # Only here are the tensors of the step gone, which the exception held.
        raise NasError(
            f"{self.memory.explain(reason)}. Other settings need another --out; this run keeps "
            f"{self.done} of {self.strategy.settings.epochs} epochs and goes on where there is "
            f"more memory: nas resume {self.run.folder}"
        )

    def _explain(self, error: Exception) -> None:
        """Raise one line instead of an exception from a user's own code; the log has it all."""
        if not is_users(error):
            return
        text = "".join(traceback.format_exception(error))
        self.run.log({"event": "error", "phase": "search", "traceback": text})
        raise NasError(
            f"'{self.run.space.name}' cannot be trained: {fault(error)}; the traceback is in "
            f"{self.run.folder / 'log.jsonl'}"
        ) from error

    def _estimate(self, changes: Mapping[str, Any]) -> MemoryEstimate:
        """Estimate the peak of this search, with changed settings of the supernet."""
        strategy = self.strategy
        if changes:
            options = {**self.run.settings("supernet"), **changes}
            supernet = supernet_of(self.run.space, self.task.info, **options).to(self.task.device)
            strategy = DifferentiableStrategy(strategy.settings, supernet, self.task)
        return estimate_search(strategy, self.task, self.memory.batch_size)

    # -- collapse -----------------------------------------------------------------------------

    def _watch(self, epoch: int, architecture: Architecture, identities: int) -> None:
        """Stop early where asked to; say once when identities have taken over a cell."""
        limit = self.strategy.settings.stop_at_identities
        risen = (
            limit is not None and self.last and self._identities(self.last) < limit <= identities
        )
        if risen and not self.strategy.gates_frozen:  # not what the gates happen to start with
            self.stopped = self.last
            message = f"stopped in epoch {epoch + 1}: a cell has {identities} identity operations"
            self._warn(message)
        reason = collapse(self.run.space, architecture)
        if reason and not self.warned and not self.strategy.gates_frozen:
            self.warned = True
            self._warn(f"epoch {epoch + 1}: {reason}")

    def _identities(self, architecture: Architecture) -> int:
        """Return how many identity operations the cell with the most of them has."""
        return max(n for n, _ in identity_counts(self.run.space, architecture).values())

    def _warn(self, message: str) -> None:
        self.progress.warn(message)
        self.run.log({"event": "warning", "message": message})

    # -- state --------------------------------------------------------------------------------

    def _save(self, done: int) -> None:
        self.done = done
        state = {
            "done": done,
            "supernet": self.strategy.supernet.state_dict(),
            "strategy": self.strategy.state_dict(),
            "last": _choices(self.last),
            "stopped": _choices(self.stopped),
            "warned": self.warned,
            "log_size": self.run.log_size(),
        }
        with self.saving.saving():
            save_checkpoint(self.file, state)

    def _resume(self) -> None:
        state = load_checkpoint(self.file)
        if state is None:
            self.run.rewind_log(0)
            return
        with restoring(self.file):
            self.strategy.supernet.load_state_dict(state["supernet"])
            self.strategy.load_state_dict(state["strategy"])
            self.done, self.warned = int(state["done"]), bool(state["warned"])
            self.last = self._architecture(state["last"])
            self.stopped = self._architecture(state["stopped"])
            log_size = int(state["log_size"])
        self.strategy.begin_epoch(max(0, self.done - 1))
        self.run.rewind_log(log_size)

    def _architecture(self, choices: list[int] | None) -> Architecture | None:
        return None if choices is None else Architecture(self.run.space.name, tuple(choices))


def _choices(architecture: Architecture | None) -> list[int] | None:
    return None if architecture is None else list(architecture.choices)
