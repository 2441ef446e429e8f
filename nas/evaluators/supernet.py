"""Candidates share the weights of one supernet, trained by uniformly sampled single paths.

Source: Guo et al., Single Path One-Shot NAS (SPOS), ECCV 2020, arXiv:1904.00420, sec. 3.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nas import registry
from nas.checkpoint import load_checkpoint, save_checkpoint, seed_everything, seed_of
from nas.errors import NasError, unknown
from nas.evaluators.evaluator import Context, Evaluator
from nas.settings import setting
from nas.space import Architecture, Path

if TYPE_CHECKING:
    from nas.supernet import Supernet
    from nas.task import Task

__all__ = ["SupernetEvaluator", "SupernetSettings", "recalibrate", "score_path"]


@dataclass
class SupernetSettings:
    """Settings of the supernet's training and of the scoring."""

    epochs: int = setting(120, "passes over the weights' half of the data")
    batch_size: int = setting(96, "examples a step")
    learning_rate: float = setting(0.025, "of SGD, cosine to 0")
    momentum: float = setting(0.9, "of SGD")
    weight_decay: float = setting(3e-4, "of the weights")
    grad_clip: float = setting(5.0, "largest norm of the gradient")
    batch_norm: str = setting(
        "recalibrate", "statistics of a candidate: recalibrate on training data, or batch"
    )
    calibration: int = setting(1024, "training examples for the statistics of a candidate")

    def __post_init__(self) -> None:
        if self.batch_norm not in ("recalibrate", "batch"):
            raise unknown("evaluator.batch_norm", self.batch_norm, ["recalibrate", "batch"])
        for name in ("epochs", "batch_size", "calibration"):
            if getattr(self, name) < 1:
                raise NasError(f"evaluator.{name}={getattr(self, name)}: at least 1 is needed")


@torch.no_grad()
def recalibrate(module: nn.Module, run: Callable[[Tensor], Any], batches: Iterable[Tensor]) -> None:
    """Replace batch norm's running statistics by averages over some batches.

    Args:
        module: Holds the batch norm layers; it is left in evaluation mode.
        run: A forward pass of the candidate, on inputs [B, ...].
        batches: Inputs.
    """
    norms = [m for m in module.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # cumulative average
    module.train()
    for x in batches:
        run(x)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    module.eval()


@torch.no_grad()
def score_path(
    supernet: Supernet, path: Path, task: Task, split: str, settings: SupernetSettings
) -> dict[str, float]:
    """Measure one path of a supernet.

    Args:
        supernet: With trained weights.
        path: As from `supernet.path`.
        task: The data.
        split: Which examples to score on.
        settings: Batch size and what batch norm does.

    Returns:
        "accuracy" in [0, 1] and mean "loss".
    """
    if settings.batch_norm == "recalibrate":
        batches = task.batches("train", settings.batch_size, seed=0)
        enough = math.ceil(settings.calibration / settings.batch_size)
        inputs = (x for (x, _), _ in zip(batches, range(enough), strict=False))
        recalibrate(supernet, lambda x: supernet(x, path), inputs)
    else:
        supernet.train()
    loss = correct = count = 0.0
    for x, target in task.batches(split, settings.batch_size):
        output = supernet(x, path)
        loss += task.loss(output, target).item() * len(target)
        correct += task.correct(output, target)
        count += len(target)
    return {"accuracy": correct / count, "loss": loss / count}


@registry.register(
    "evaluators",
    "supernet",
    "shared weights, trained by uniform single paths, scored on the validation split",
    "Guo et al., Single Path One-Shot NAS with Uniform Sampling, ECCV 2020, arXiv:1904.00420",
)
class SupernetEvaluator(Evaluator):
    """Train a supernet once, then score every candidate with its weights."""

    Settings = SupernetSettings
    shares_weights = True
    settings: SupernetSettings

    def __init__(self, context: Context, settings: SupernetSettings | None = None) -> None:
        super().__init__(context, settings or SupernetSettings())
        seed_everything(seed_of(context.seed, "supernet"))
        self.supernet = context.space.supernet(context.task.info, **context.supernet)
        self.supernet.to(context.task.device)

    @classmethod
    def defaults(cls, scale: str) -> dict[str, Any]:
        return {} if scale == "paper" else {"epochs": 60, "batch_size": 64, "learning_rate": 0.05}

    # -- training -----------------------------------------------------------------------------

    def prepare(self) -> None:
        """Train the supernet, from the last checkpoint if there is one."""
        s = self.settings
        optimizer = torch.optim.SGD(
            self.supernet.parameters(),
            s.learning_rate,
            momentum=s.momentum,
            weight_decay=s.weight_decay,
        )
        done = self._resume(optimizer)
        with self.context.progress.bar("supernet", s.epochs, done) as bar:
            for epoch in range(done, s.epochs):
                start = time.perf_counter()
                figures = self._train_epoch(optimizer, epoch)
                seconds = time.perf_counter() - start
                where = {"event": "epoch", "phase": "supernet", "epoch": epoch + 1}
                self.context.log(where | {"epochs": s.epochs, **figures, "seconds": seconds})
                self._save(optimizer, epoch + 1)
                bar.advance(**figures)

    def _resume(self, optimizer: torch.optim.Optimizer) -> int:
        file = self._file
        state = load_checkpoint(file) if file else None
        if state is None:
            return 0
        self.supernet.load_state_dict(state["supernet"])
        optimizer.load_state_dict(state["optimizer"])
        return int(state["epoch"])

    def _save(self, optimizer: torch.optim.Optimizer, epoch: int) -> None:
        if self._file:
            state = {"supernet": self.supernet.state_dict(), "optimizer": optimizer.state_dict()}
            save_checkpoint(self._file, state | {"epoch": epoch})

    @property
    def _file(self) -> Any:
        return self.context.folder and self.context.folder / "supernet.pt"

    def _train_epoch(self, optimizer: torch.optim.Optimizer, epoch: int) -> dict[str, float]:
        s, task = self.settings, self.context.task
        seed = seed_of(self.context.seed, "supernet", epoch)
        seed_everything(seed)
        rng = np.random.default_rng(seed)
        for group in optimizer.param_groups:
            group["lr"] = s.learning_rate * (1 + math.cos(math.pi * epoch / s.epochs)) / 2
        self.supernet.train()
        loss_sum = correct = count = 0.0
        for x, target in task.batches("train", s.batch_size, seed=seed, augment=True):
            path = self.supernet.path(self.context.space.sample(rng, 1)[0])
            output = self.supernet(x, path)
            loss = task.loss(output, target)
            value = loss.item()
            if not math.isfinite(value):
                raise NasError(
                    f"the supernet's loss became {value} in epoch {epoch + 1}; lower "
                    f"evaluator.learning_rate (now {s.learning_rate:g})"
                )
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(self.supernet.parameters(), s.grad_clip)
            optimizer.step()
            loss_sum += value * len(target)
            correct += task.correct(output, target)
            count += len(target)
        return {"train_loss": loss_sum / count, "train_accuracy": correct / count}

    # -- scoring ------------------------------------------------------------------------------

    def evaluate(self, architecture: Architecture) -> dict[str, float]:
        path = self.supernet.path(architecture)
        return score_path(self.supernet, path, self.context.task, "valid", self.settings)

    def weights_of(self, architecture: Architecture) -> nn.Module:
        self.evaluate(architecture)  # leaves this candidate's batch norm statistics behind
        return self.supernet.extract(architecture)
