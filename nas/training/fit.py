"""Training a plain network from scratch with the recipe of the papers on cells, or on graphs.

Sources: DARTS (Liu et al., ICLR 2019, arXiv:1806.09055, sec. 3.1, app. A.2): SGD with a cosine
schedule, cutout, an auxiliary head, drop path that grows linearly. For nodes of a graph, GCN (Kipf
and Welling, ICLR 2017, arXiv:1609.02907, sec. 5.2) and GraphNAS (arXiv:1904.09981): Adam with
weight decay at a constant rate, and of all epochs the best one on the validation nodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import nn

from nas.costs import evaluating
from nas.errors import NasError
from nas.progress import Progress, Silent
from nas.task import Task
from nas.training.loop import Log, Stop, Training
from nas.training.resuming import restore, save
from nas.training.settings import TrainSettings

__all__ = ["TrainResult", "fit"]


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
    training = Training(network, task, settings, split, evaluate_on, each_epoch, seed)
    metrics = restore(checkpoint, training)
    if metrics is None:
        with _layout(network, task, settings.channels_last):
            training.run(progress or Silent(), log, stop, partial(save, checkpoint, training))
            metrics = training.finish()
            save(checkpoint, training, metrics)
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
