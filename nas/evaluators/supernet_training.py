"""Training the shared weights of a supernet by the paths of architectures."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nas.errors import NasError
from nas.evaluators.evaluator import Context
from nas.evaluators.scoring.batch_norm import leaves_one
from nas.evaluators.supernet_paths import Draw, Phase, Schedule, paths_of
from nas.evaluators.supernet_settings import SupernetSettings
from nas.mutables import Supernet
from nas.space import Path
from nas.storage import seed_everything, seed_of
from nas.timeouts import time_limit
from nas.training import as_float, autocast, fill_gradients, make_optimizer

__all__ = ["SupernetTraining"]

_MOST_FAILURES = 50  # steps in a row
_LARGEST = 0.1  # of the epochs, where hidden units are sorted after them


class SupernetTraining:
    """A supernet on its way through the epochs.

    The network in the supernet may have a method `sort_hidden` that puts the strongest units of its
    layers first and leaves what it computes as it is. It is called once, between epochs of the
    largest sizes alone and the first that runs smaller ones, which have the first units only.

    Args:
        supernet: On the task's device.
        context: Of the evaluator.
        settings: Of the evaluator.
    """

    def __init__(self, supernet: Supernet, context: Context, settings: SupernetSettings) -> None:
        self.supernet, self.context, self.settings = supernet, context, settings
        self.optimizer = make_optimizer(
            settings.optimizer,
            supernet.parameters(),
            settings.learning_rate,
            settings.momentum,
            settings.weight_decay,
        )
        self.epoch = 0  # epochs done
        self.failures = 0  # steps in a row
        self._sort = getattr(supernet.network, "sort_hidden", None)
        paths = paths_of(context.space, settings.paths, settings.train_on)
        self.schedule = Schedule(context.space, paths, settings.epochs, self._largest_epochs())

    def _largest_epochs(self) -> int:
        if self.settings.largest_epochs is not None:
            return self.settings.largest_epochs
        return math.ceil(_LARGEST * (self.settings.epochs - 1)) if self._sort else 0

    # -- state --------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return what an epoch starts from."""
        state = {"supernet": self.supernet.state_dict(), "optimizer": self.optimizer.state_dict()}
        return state | {"epoch": self.epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self.supernet.load_state_dict(state["supernet"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch = int(state["epoch"])

    # -- epochs -------------------------------------------------------------------------------

    def run_epoch(self, draw: Draw) -> dict[str, float]:
        """Train one more epoch on architectures that `draw` returns; return its figures.

        They are "train_loss" and "train_accuracy", the means over all paths of all steps, and
        "failed_steps", if there were any.
        """
        start, epoch = time.perf_counter(), self.epoch
        phase = self.schedule.phase(epoch)
        if self.schedule.opens(epoch) and self._sort:
            self._sort()
            self.optimizer.state.clear()  # momenta of units that are elsewhere now
        figures = self._pass(phase, draw, epoch)
        self.epoch += 1
        seconds = time.perf_counter() - start
        where = {"event": "epoch", "phase": "supernet", "epoch": epoch + 1}
        named = {"paths": phase.name} if phase.name else {}
        epochs = {"epochs": self.settings.epochs}
        self.context.log(where | epochs | named | {**figures, "seconds": seconds})
        return figures

    def _pass(self, phase: Phase, draw: Draw, epoch: int) -> dict[str, float]:
        s, task = self.settings, self.context.task
        seed = seed_of(self.context.seed, "supernet", epoch)
        seed_everything(seed)
        rng = np.random.default_rng(seed)
        for group in self.optimizer.param_groups:
            group["lr"] = s.learning_rate * (1 + math.cos(math.pi * epoch / s.epochs)) / 2
        self.supernet.train()
        loss_sum = correct = count = failed = 0.0
        drop_last = leaves_one(task, "train", s.batch_size)
        batches = task.batches("train", s.batch_size, seed=seed, augment=True, drop_last=drop_last)
        for x, target in batches:
            paths = [self.supernet.path(architecture) for architecture in phase.step(draw, rng)]
            done = self._try_step(paths, x, target)
            if done is None:
                failed += 1
                continue
            loss_sum += done[0] * target.numel()
            correct += done[1]
            count += target.numel()
        figures = {"failed_steps": failed} if failed else {}
        if count:
            figures |= {"train_loss": loss_sum / count, "train_accuracy": correct / count}
        return figures

    # -- steps --------------------------------------------------------------------------------

    def _try_step(self, paths: list[Path], x: Any, target: Tensor) -> tuple[float, float] | None:
        """Make one step; None where a candidate raises or diverges: the others are trained."""
        try:
            done = self.step(paths, x, target)
        except Exception as error:
            self.failures += 1
            if self.failures < _MOST_FAILURES:
                return None
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise NasError(
                f"the supernet cannot be trained: {_MOST_FAILURES} steps in a row failed; {reason}"
            ) from error
        self.failures = 0
        return done

    def step(self, paths: list[Path], x: Any, target: Tensor) -> tuple[float, float]:
        """Train the weights of some paths on one batch: their gradients are added.

        Returns:
            The mean loss, and the mean number of right predictions.
        """
        s = self.settings
        self.optimizer.zero_grad()
        done = [self._backward(path, x, target) for path in paths]
        fill_gradients(self.supernet.parameters())
        norm = nn.utils.clip_grad_norm_(self.supernet.parameters(), s.grad_clip).item()
        value = sum(loss.item() for loss, _ in done) / len(done)
        if not math.isfinite(value + norm):
            raise NasError(
                f"the loss is {value}, its gradient's norm {norm}; lower evaluator.learning_rate "
                f"(now {s.learning_rate:g})"
            )
        self.optimizer.step()
        task = self.context.task
        return value, sum(task.correct(output, target) for _, output in done) / len(done)

    def _backward(self, path: Path, x: Any, target: Tensor) -> tuple[Tensor, Any]:
        """Add the gradient of one path; return its loss and its output."""
        with time_limit(self.context.timeout):
            with autocast(self.settings.precision, x.device):
                output = as_float(self.supernet(x, path))
            loss = self.context.task.loss(output, target)
            torch.autograd.backward(loss)
        return loss.detach(), output
