"""Candidates share the weights of one supernet, trained by uniformly sampled single paths.

Source: Guo et al., Single Path One-Shot NAS (SPOS), ECCV 2020, arXiv:1904.00420, sec. 3.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nas import registry
from nas.checkpoint import load_checkpoint, restoring, save_checkpoint, seed_everything, seed_of
from nas.errors import NasError, unknown
from nas.evaluators.evaluator import Context, Evaluator
from nas.evaluators.scoring import score_paths, try_paths
from nas.evaluators.scoring.batch_norm import leaves_one, recalibrate, use_batch_statistics
from nas.evaluators.scoring.separate import score_path
from nas.precision import as_float, autocast, check_precision
from nas.settings import require_ranges, setting
from nas.space import Architecture, Path

__all__ = [
    "SupernetEvaluator",
    "SupernetSettings",
    "leaves_one",
    "recalibrate",
    "score_path",
    "score_paths",
    "use_batch_statistics",
]

_MOST_FAILURES = 50  # steps in a row


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
    score_together: int = setting(50, "most candidates to score at once, sharing what is equal")

    precision: str = setting("fp32", "of the training: fp32, or bf16 (mixed precision)")

    def __post_init__(self) -> None:
        check_precision(self.precision, "evaluator.precision")
        if self.batch_norm not in ("recalibrate", "batch"):
            raise unknown("evaluator.batch_norm", self.batch_norm, ["recalibrate", "batch"])
        ranges: dict[str, tuple[bool, str]] = {
            "epochs": (self.epochs >= 1, "at least 1"),
            "batch_size": (self.batch_size >= 1, "at least 1"),
            "calibration": (self.calibration >= 1, "at least 1"),
            "score_together": (self.score_together >= 1, "at least 1"),
            "learning_rate": (0 < self.learning_rate < math.inf, "above 0"),
            "momentum": (0 <= self.momentum < 1, "0 to below 1"),
            "weight_decay": (0 <= self.weight_decay < math.inf, "at least 0"),
            "grad_clip": (self.grad_clip > 0, "above 0"),
        }
        require_ranges(self, "evaluator", ranges)


@registry.register(
    "evaluators",
    "supernet",
    "shared weights, trained by uniform single paths, scored on the validation split",
    "Guo et al., Single Path One-Shot NAS with Uniform Sampling, ECCV 2020, arXiv:1904.00420",
)
class SupernetEvaluator(Evaluator):
    """Train a supernet once, then score every candidate with its weights."""

    Settings = SupernetSettings
    metrics = ("accuracy", "loss")
    prepare_settings = (
        "epochs", "learning_rate", "momentum", "weight_decay", "grad_clip", "precision",
    )  # fmt: skip
    shares_weights = True
    settings: SupernetSettings

    def __init__(self, context: Context, settings: SupernetSettings | None = None) -> None:
        super().__init__(context, settings or SupernetSettings())
        seed_everything(seed_of(context.seed, "supernet"))
        self.supernet = context.space.supernet(context.task.info, **context.supernet)
        self.supernet.to(context.task.device)
        if not any(True for _ in self.supernet.parameters()):
            raise NasError(f"space '{context.space.name}' has no weights to share or train")
        self._failures = 0  # steps in a row

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
        with restoring(self._file):
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
        loss_sum = correct = count = failed = 0.0
        drop_last = leaves_one(task, "train", s.batch_size)
        batches = task.batches("train", s.batch_size, seed=seed, augment=True, drop_last=drop_last)
        for x, target in batches:
            path = self.supernet.path(self.context.space.sample(rng, 1)[0])
            done = self._try_step(optimizer, path, x, target)
            if done is None:
                failed += 1
                continue
            loss_sum += done[0] * len(target)
            correct += done[1]
            count += len(target)
        figures = {"failed_steps": failed} if failed else {}
        if count:
            figures |= {"train_loss": loss_sum / count, "train_accuracy": correct / count}
        return figures

    def _try_step(
        self, optimizer: torch.optim.Optimizer, path: Path, x: Tensor, target: Tensor
    ) -> tuple[float, int] | None:
        """Make one step; None where the candidate raises or diverges: the others are trained."""
        try:
            done = self._step(optimizer, path, x, target)
        except Exception as error:
            self._failures += 1
            if self._failures < _MOST_FAILURES:
                return None
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise NasError(
                f"the supernet cannot be trained: {_MOST_FAILURES} steps in a row failed; {reason}"
            ) from error
        self._failures = 0
        return done

    def _step(
        self, optimizer: torch.optim.Optimizer, path: Path, x: Tensor, target: Tensor
    ) -> tuple[float, int]:
        """Train the weights of one path; return the loss and the number of right predictions."""
        task, s = self.context.task, self.settings
        with autocast(s.precision, x.device):
            output = as_float(self.supernet(x, path))
        loss = task.loss(output, target)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        norm = nn.utils.clip_grad_norm_(self.supernet.parameters(), s.grad_clip).item()
        value = loss.item()
        if not math.isfinite(value + norm):
            raise NasError(
                f"the loss is {value}, its gradient's norm {norm}; lower evaluator.learning_rate "
                f"(now {s.learning_rate:g})"
            )
        optimizer.step()
        return value, task.correct(output, target)

    # -- scoring ------------------------------------------------------------------------------

    @property
    def at_once(self) -> int:
        return self.settings.score_together

    def evaluate(self, architecture: Architecture) -> dict[str, float]:
        [path] = self._paths([architecture])
        [score] = score_paths(self.supernet, [path], self.context.task, "valid", self.settings)
        return score

    def evaluate_many(
        self, architectures: Sequence[Architecture]
    ) -> list[dict[str, float] | Exception]:
        """Return what `evaluate` gives for each; what they share is computed once."""
        return try_paths(
            self.supernet,
            self._paths(architectures),
            self.context.task,
            "valid",
            self.settings,
            before=lambda i: self.seed(architectures[i]),
        )

    def _paths(self, architectures: Sequence[Architecture]) -> list[Path]:
        return [self.supernet.path(architecture) for architecture in architectures]

    def weights_of(self, architecture: Architecture) -> nn.Module:
        path = self.supernet.path(architecture)
        settings = replace(self.settings, batch_norm="recalibrate")
        # Leaves this candidate's batch norm statistics behind.
        score_path(self.supernet, path, self.context.task, "valid", settings)
        return self.supernet.extract(architecture)
