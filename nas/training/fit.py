"""Training a plain network from scratch with the recipe of the papers on cells, or on graphs.

Sources: DARTS (Liu et al., ICLR 2019, arXiv:1806.09055, sec. 3.1, app. A.2): SGD with a cosine
schedule, cutout, an auxiliary head, drop path that grows linearly. For nodes of a graph, GCN (Kipf
and Welling, ICLR 2017, arXiv:1609.02907, sec. 5.2) and GraphNAS (arXiv:1904.09981): Adam with
weight decay at a constant rate, and of all epochs the best one on the validation nodes. An epoch's
random numbers follow from the seed and the epoch alone, so that an interrupted training goes on as
if it had not been: on the CPU with the very same numbers.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from nas.costs import evaluating
from nas.errors import NasError, unknown
from nas.progress import Bar, Progress, Silent
from nas.settings import require_ranges, setting
from nas.storage import load_checkpoint, save_checkpoint, seed_everything, seed_of
from nas.task import Input, Output, Task
from nas.training.evaluate import Diverged, Meter, OutOfMemory, evaluate, memory_errors
from nas.training.optimizers import OPTIMIZERS, make_optimizer
from nas.training.precision import as_float, autocast, check_precision

__all__ = [
    "Diverged",
    "OutOfMemory",
    "Stop",
    "TrainResult",
    "TrainSettings",
    "evaluate",
    "fit",
]

Log = Callable[[dict[str, Any]], None]
"""Takes one record, such as those of `log.jsonl`."""
Stop = Callable[[int, Callable[[], dict[str, float]]], bool]
"""Asked after an epoch: epochs done, and what returns "accuracy" and "loss" as they now are."""


SCHEDULES = ("cosine", "constant")
KEEP = ("last", "best")


@dataclass
class TrainSettings:
    """How a network is trained; the defaults are the papers' for CIFAR-10."""

    epochs: int = setting(600, "passes over the training examples")
    batch_size: int = setting(96, "examples a step")
    optimizer: str = setting("sgd", "sgd or adam")
    learning_rate: float = setting(0.025, "of the first epoch")
    schedule: str = setting("cosine", "of the rate: cosine, to 0, or constant")
    momentum: float = setting(0.9, "momentum of SGD")
    weight_decay: float = setting(3e-4, "of all weights, added to the gradient")
    keep: str = setting(
        "last", "the weights of which epoch: last, or best on 'valid', which is not trained on then"
    )
    grad_clip: float = setting(5.0, "largest norm of the gradient; 0: no limit")
    drop_path: float = setting(0.2, "probability of dropping an edge; grows to this from 0")
    cutout: int | None = setting(None, "side of the blanked square; none: half of the image's")
    augment: bool = setting(True, "augmentation of the training examples, cutout included")
    label_smoothing: float | None = setting(None, "label smoothing; none: the task's own")
    channels_last: bool = setting(False, "channels-last memory where the network allows it")
    precision: str = setting("fp32", "fp32, or bf16: mixed precision (autocast)")

    group: ClassVar[str] = "train"

    def __post_init__(self) -> None:
        check_precision(self.precision, "precision")
        for name, allowed in (
            ("optimizer", OPTIMIZERS), ("schedule", SCHEDULES), ("keep", KEEP),
        ):  # fmt: skip
            if getattr(self, name) not in allowed:
                raise unknown(f"{self.group}.{name}", getattr(self, name), allowed)
        ranges: dict[str, tuple[bool, str]] = {
            "epochs": (self.epochs >= 1, "at least 1"),
            "batch_size": (self.batch_size >= 1, "at least 1"),
            "learning_rate": (0 < self.learning_rate < math.inf, "above 0"),
            "momentum": (0 <= self.momentum < 1, "0 to below 1"),
            "weight_decay": (0 <= self.weight_decay < math.inf, "at least 0"),
            "grad_clip": (self.grad_clip >= 0, "at least 0"),
            "drop_path": (0 <= self.drop_path < 1, "0 to below 1"),
            "cutout": (self.cutout is None or self.cutout >= 0, "at least 0, or none"),
            "label_smoothing": (0 <= (self.label_smoothing or 0) < 1, "0 to below 1, or none"),
        }
        require_ranges(self, self.group, ranges)


@dataclass(frozen=True)
class TrainResult:
    """What a training came to.

    Args:
        metrics: "accuracy" and "loss" on the evaluation split, in evaluation mode; and
            "train_accuracy" and "train_loss", the means over the last epoch's steps. Where the best
            epoch's weights are kept also "epoch", its number from 1, and that epoch's
            "valid_accuracy" and "valid_loss".
        history: One entry an epoch: "epoch" (from 1), "learning_rate", "train_loss",
            "train_accuracy", "seconds", and the evaluation of each epoch where it was asked for.
        seconds: Spent in epochs, those before an interruption included.
    """

    metrics: dict[str, float]
    history: list[dict[str, float]]
    seconds: float


def fit(
    network: nn.Module,
    task: Task,
    settings: TrainSettings,
    *,
    split: str = "train+valid",
    evaluate_on: str = "test",
    each_epoch: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
    log: Log | None = None,
    stop: Stop | None = None,
) -> TrainResult:
    """Train a network in place, on the task's device, and evaluate it.

    Args:
        network: A plain network; drop path is set where it has `set_drop_path`.
        task: Data and loss.
        settings: The recipe.
        split: The examples to train on.
        evaluate_on: Other examples, to judge the trained network on.
        each_epoch: Whether to evaluate after every epoch too; not on the test examples.
        seed: Decides order, augmentation and dropout; not the weights, which the network brings.
        progress: Where to report; None is nowhere.
        checkpoint: A file written after every epoch. Where it is there already, training goes on
            from it, or returns at once if it had ended.
        log: Called with one record an epoch.
        stop: Ends the training early where it returns True; the schedule stays that of all epochs.

    Raises:
        Diverged: When the loss is no longer finite.
        OutOfMemory: When a batch does not fit.
        NasError: For splits that overlap, or a checkpoint that is damaged or of another training.
    """
    _check_splits(task, split, evaluate_on, each_epoch)
    if settings.keep == "best":
        _check_splits(task, split, "valid", True)
    network.to(task.device)
    training = _Training(network, task, settings, split, evaluate_on, each_epoch, seed, checkpoint)
    metrics = training.restore()
    if metrics is None:
        with _layout(network, task, settings.channels_last):
            training.run(progress or Silent(), log, stop)
            metrics = training.finish()
    network.eval()
    seconds = sum(record["seconds"] for record in training.history)
    return TrainResult(metrics, training.history, seconds)


def _check_splits(task: Task, split: str, evaluate_on: str, each_epoch: bool) -> None:
    if each_epoch and evaluate_on == "test":
        raise NasError(
            "evaluating on 'test' after each epoch would let the test examples choose; use 'valid'"
        )
    for name in (split, evaluate_on):
        task.size(name)  # refuses an unknown split
    (start, stop), (other_start, other_stop) = task.bounds[split], task.bounds[evaluate_on]
    if start < other_stop and other_start < stop:
        raise NasError(
            f"training on '{split}' and evaluating on '{evaluate_on}' share examples; "
            "train on 'train' to evaluate on 'valid'"
        )


@contextmanager
def _layout(network: nn.Module, task: Task, channels_last: bool) -> Iterator[None]:
    """Keep convolutions' weights in the channels-last format, which activations then follow."""
    if channels_last:
        network.to(memory_format=torch.channels_last)
        if not _runs(network, task):  # such as one that calls `view` after a convolution
            network.to(memory_format=torch.contiguous_format)
    try:
        yield
    finally:
        network.to(memory_format=torch.contiguous_format)


def _runs(network: nn.Module, task: Task) -> bool:
    x, _ = next(task.batches("train", 1))
    try:
        with evaluating(network), torch.no_grad():
            network(x)
    except RuntimeError:
        return False
    return True


@dataclass
class _Training:
    """A network on its way through the epochs; the arguments are those of `fit`."""

    network: nn.Module
    task: Task
    settings: TrainSettings
    split: str
    evaluate_on: str
    each_epoch: bool
    seed: int
    checkpoint: Path | None
    history: list[dict[str, float]] = field(default_factory=list)
    shown: dict[str, float] = field(default_factory=dict)  # beside the bar, until the next reading
    best: dict[str, Any] | None = None  # "record" and "network", the weights, of the best epoch

    def __post_init__(self) -> None:
        self.optimizer = self._optimizer()
        smoothing = self.settings.label_smoothing
        if smoothing is None:
            smoothing = self.task.label_smoothing
        self.smoothed = replace(self.task, label_smoothing=smoothing)
        batch = self.settings.batch_size
        self.drop_last = self.task.leaves_one(self.split, batch)
        self.steps = self.task.steps(self.split, batch, drop_last=self.drop_last)

    def _optimizer(self) -> torch.optim.Optimizer:
        s, weights = self.settings, self.network.parameters()
        return make_optimizer(s.optimizer, weights, s.learning_rate, s.momentum, s.weight_decay)

    def run(self, progress: Progress, log: Log | None, stop: Stop | None = None) -> None:
        """Run the epochs that are left."""
        epochs, done = self.settings.epochs, len(self.history)
        with progress.bar("training", epochs * self.steps, done * self.steps) as bar:
            for epoch in range(done, epochs):
                record = self._epoch(epoch, bar)
                self.history.append(record)
                if self.settings.keep == "best":
                    self._compare(record)
                self._save(None)
                if log:
                    log({"event": "epoch", "phase": "train", "epochs": epochs, **record})
                if stop and stop(epoch + 1, self._evaluate):
                    break

    def _epoch(self, epoch: int, bar: Bar) -> dict[str, float]:
        """Run one epoch, counted from 0; return its record."""
        start = time.perf_counter()
        seed_everything(seed_of(self.seed, "train", epoch))
        rate = self._schedule(epoch / self.settings.epochs)
        group = self.settings.group
        meter = Meter(self.task, f"in epoch {epoch + 1}", group)
        self.network.train()
        with memory_errors(self.settings.batch_size, group):
            for x, y in self._batches(epoch):
                meter.add(*self._step(x, y), y)
                self.shown = meter.means or self.shown
                bar.advance(**self.shown)
            self.shown = meter.read()
        found = _prefixed("train", self.shown)
        if self.each_epoch:
            found |= _prefixed(self.evaluate_on, self._evaluate())
        if self.settings.keep == "best" and "valid_accuracy" not in found:
            found |= _prefixed("valid", self._evaluate("valid"))
        seconds = time.perf_counter() - start
        return {"epoch": epoch + 1, "learning_rate": rate, **found, "seconds": seconds}

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

    def _evaluate(self, split: str | None = None) -> dict[str, float]:
        s = self.settings
        where = split or self.evaluate_on
        return evaluate(self.network, self.task, where, s.batch_size, group=s.group)

    def _compare(self, record: dict[str, float]) -> None:
        """Keep the weights if they are the best so far: the accuracy, or with equal ones the loss.

        Accuracies of few examples are often equal.
        """
        if self.best is None or _worth(record) > _worth(self.best["record"]):
            weights = self.network.state_dict().items()
            copies = {name: value.detach().clone() for name, value in weights}
            self.best = {"record": record, "network": copies}

    def finish(self) -> dict[str, float]:
        """Evaluate the trained network; return and save the metrics."""
        last = {name: self.history[-1][name] for name in ("train_accuracy", "train_loss")}
        if self.best is not None:
            self.network.load_state_dict(self.best["network"])
            record = self.best["record"]
            last |= {name: record[name] for name in ("epoch", "valid_accuracy", "valid_loss")}
            self.best = None  # it is in the network now
        metrics = {**self._evaluate(), **last}
        self._save(metrics)
        return metrics

    # -- checkpoint ---------------------------------------------------------------------------

    def _save(self, metrics: dict[str, float] | None) -> None:
        if self.checkpoint is None:
            return
        state = {
            "identity": self._identity(),
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": self.history,
            "metrics": metrics,
            "best": self.best,
        }
        save_checkpoint(self.checkpoint, state)

    def _identity(self) -> dict[str, Any]:
        """Return what must be the same for a checkpoint to be of this training."""
        weights = self.network.state_dict().items()
        return {
            **{f"train.{name}": value for name, value in asdict(self.settings).items()},
            "seed": self.seed,
            "split": self.split,
            "evaluate_on": self.evaluate_on,
            "each_epoch": self.each_epoch,
            "label_smoothing": self.smoothed.label_smoothing,
            "auxiliary_weight": self.task.auxiliary_weight,
            "augmentation": repr(self.task.augmentation),
            "data": self.task.describe(),
            "network": {name: list(weight.shape) for name, weight in weights},
        }

    def restore(self) -> dict[str, float] | None:
        """Go on from the checkpoint, if there is one; return the metrics that it ended with."""
        state = load_checkpoint(self.checkpoint) if self.checkpoint else None
        if state is None:
            return None
        known = state.get("identity") or {}
        for name, value in self._identity().items():
            if known.get(name) != value:
                raise NasError(
                    f"checkpoint {self.checkpoint} is of another training "
                    f"({_difference(name, known.get(name), value)}); delete it to start over"
                )
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.history, self.best = state["history"], state.get("best")
        metrics: dict[str, float] | None = state["metrics"]
        return metrics


def _worth(record: dict[str, float]) -> tuple[float, float]:
    return record["valid_accuracy"], -record["valid_loss"]


def _prefixed(prefix: str, figures: dict[str, float]) -> dict[str, float]:
    return {f"{prefix}_{name}": value for name, value in figures.items()}


def _difference(name: str, there: Any, here: Any) -> str:
    if isinstance(here, dict):
        return f"another {name}"
    return f"{name}={there!r} there, {here!r} here"
