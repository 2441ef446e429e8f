"""Candidates share the weights of one supernet, trained by single paths.

The paths are drawn uniformly before the search (Guo et al., Single Path One-Shot NAS, SPOS, ECCV
2020, arXiv:1904.00420, sec. 3), or from what the strategy proposes, in turn with the search (Pham
et al., ENAS, ICML 2018, arXiv:1802.03268, sec. 2.2).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
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
from nas.objective import Measurement
from nas.precision import as_float, autocast, check_precision
from nas.settings import require_ranges, setting
from nas.space import Architecture, Path
from nas.timeouts import time_limit

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
TRAIN_ON = ("uniform", "proposals")


@dataclass
class SupernetSettings:
    """Settings of the supernet's training and of the scoring."""

    epochs: int = setting(120, "passes over the weights' half of the data")
    train_on: str = setting(
        "uniform", "paths to train: uniform (all epochs before the search), or proposals"
    )
    warmup_epochs: int = setting(5, "of train_on=proposals: uniform epochs before the search")
    proposals_per_epoch: int = setting(10, "of train_on=proposals: proposals to one epoch on them")
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
        if self.train_on not in TRAIN_ON:
            raise unknown("evaluator.train_on", self.train_on, TRAIN_ON)
        ranges: dict[str, tuple[bool, str]] = {
            "epochs": (self.epochs >= 1, "at least 1"),
            "warmup_epochs": (self.warmup_epochs >= 0, "at least 0"),
            "proposals_per_epoch": (self.proposals_per_epoch >= 1, "at least 1"),
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
    "shared weights, trained by single paths, scored on the validation split",
    "Guo et al., Single Path One-Shot NAS with Uniform Sampling, ECCV 2020, arXiv:1904.00420",
)
class SupernetEvaluator(Evaluator):
    """Train a supernet, and score every candidate with its weights.

    With `train_on=proposals` only the warm-up comes before the search. Then, whenever
    `proposals_per_epoch` results have been observed, the supernet is trained for one more epoch,
    each step on one of these architectures, until it has had `epochs` epochs. What an architecture
    scores depends on when it is evaluated.
    """

    Settings = SupernetSettings
    metrics = ("accuracy", "loss")
    prepare_settings = (
        "epochs", "train_on", "warmup_epochs", "proposals_per_epoch", "learning_rate", "momentum",
        "weight_decay", "grad_clip", "precision",
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
        s = self.settings
        self._optimizer = torch.optim.SGD(
            self.supernet.parameters(),
            s.learning_rate,
            momentum=s.momentum,
            weight_decay=s.weight_decay,
        )
        self._epoch = 0  # epochs done
        self._failures = 0  # steps in a row
        self._observed = 0  # since the last epoch
        self._recent: list[Architecture] = []  # those of them that could be scored

    @classmethod
    def defaults(cls, scale: str) -> dict[str, Any]:
        return {} if scale == "paper" else {"epochs": 60, "batch_size": 64, "learning_rate": 0.05}

    # -- training -----------------------------------------------------------------------------

    def prepare(self) -> None:
        """Train the supernet, from the last checkpoint if there is one."""
        s = self.settings
        epochs = s.epochs if s.train_on == "uniform" else min(s.warmup_epochs, s.epochs)
        if self._epoch == 0:
            self._resume()
        with self.context.progress.bar("supernet", epochs, self._epoch) as bar:
            while self._epoch < epochs:
                figures = self._train_epoch(self._uniform)
                self._save()
                bar.advance(**figures)

    def _resume(self) -> None:
        file = self._file
        state = load_checkpoint(file) if file else None
        if state is not None:
            with restoring(file):
                self._restore(state)

    def _restore(self, state: dict[str, Any]) -> None:
        self.supernet.load_state_dict(state["supernet"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._epoch = int(state["epoch"])

    def _trained(self) -> dict[str, Any]:
        state = {
            "supernet": self.supernet.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }
        return state | {"epoch": self._epoch}

    def _save(self) -> None:
        if self._file:
            save_checkpoint(self._file, self._trained())

    @property
    def _file(self) -> Any:
        return self.context.folder and self.context.folder / "supernet.pt"

    def _uniform(self, rng: np.random.Generator) -> Architecture:
        return self.context.space.sample(rng, 1)[0]

    def _train_epoch(self, draw: Callable[[np.random.Generator], Architecture]) -> dict[str, float]:
        """Train one more epoch, each step on the path of an architecture that `draw` returns."""
        start, epoch = time.perf_counter(), self._epoch
        figures = self._pass(draw, epoch)
        self._epoch += 1
        seconds = time.perf_counter() - start
        where = {"event": "epoch", "phase": "supernet", "epoch": epoch + 1}
        self.context.log(where | {"epochs": self.settings.epochs, **figures, "seconds": seconds})
        return figures

    def _pass(
        self, draw: Callable[[np.random.Generator], Architecture], epoch: int
    ) -> dict[str, float]:
        s, task = self.settings, self.context.task
        seed = seed_of(self.context.seed, "supernet", epoch)
        seed_everything(seed)
        rng = np.random.default_rng(seed)
        for group in self._optimizer.param_groups:
            group["lr"] = s.learning_rate * (1 + math.cos(math.pi * epoch / s.epochs)) / 2
        self.supernet.train()
        loss_sum = correct = count = failed = 0.0
        drop_last = leaves_one(task, "train", s.batch_size)
        batches = task.batches("train", s.batch_size, seed=seed, augment=True, drop_last=drop_last)
        for x, target in batches:
            done = self._try_step(self.supernet.path(draw(rng)), x, target)
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

    def _try_step(self, path: Path, x: Tensor, target: Tensor) -> tuple[float, int] | None:
        """Make one step; None where the candidate raises or diverges: the others are trained."""
        try:
            done = self._step(path, x, target)
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

    def _step(self, path: Path, x: Tensor, target: Tensor) -> tuple[float, int]:
        """Train the weights of one path; return the loss and the number of right predictions."""
        task, s = self.context.task, self.settings
        with time_limit(self.context.timeout):
            with autocast(s.precision, x.device):
                output = as_float(self.supernet(x, path))
            loss = task.loss(output, target)
            self._optimizer.zero_grad()
            torch.autograd.backward(loss)
        norm = nn.utils.clip_grad_norm_(self.supernet.parameters(), s.grad_clip).item()
        value = loss.item()
        if not math.isfinite(value + norm):
            raise NasError(
                f"the loss is {value}, its gradient's norm {norm}; lower evaluator.learning_rate "
                f"(now {s.learning_rate:g})"
            )
        self._optimizer.step()
        return value, task.correct(output, target)

    # -- training on proposals ----------------------------------------------------------------

    def observe(self, architecture: Architecture, measurement: Measurement) -> None:
        """Count a proposal; train on the last ones when there are enough."""
        s = self.settings
        if s.train_on == "uniform" or self._epoch >= s.epochs:
            return
        self._observed += 1
        if measurement.ok:
            self._recent.append(architecture)
        if self._observed < s.proposals_per_epoch:
            return
        self._train_epoch(self._proposed if self._recent else self._uniform)
        self._observed, self._recent = 0, []

    def _proposed(self, rng: np.random.Generator) -> Architecture:
        return self._recent[int(rng.integers(len(self._recent)))]

    def state_dict(self) -> dict[str, Any]:
        if self.settings.train_on == "uniform":
            return {}
        recent = [list(architecture.choices) for architecture in self._recent]
        counts = {"observed": self._observed, "failures": self._failures}
        return {**self._trained(), **counts, "recent": recent}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self.settings.train_on == "uniform":
            return
        self._restore(state)
        self._observed, self._failures = int(state["observed"]), int(state["failures"])
        name = self.context.space.name
        self._recent = [Architecture(name, tuple(choices)) for choices in state["recent"]]

    # -- scoring ------------------------------------------------------------------------------

    @property
    def at_once(self) -> int:
        s = self.settings
        if s.train_on == "uniform" or self._epoch >= s.epochs:
            return s.score_together
        # The weights change after the last of these is observed.
        return min(s.score_together, s.proposals_per_epoch - self._observed)

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
