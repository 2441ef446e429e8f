"""The settings of the evaluator `supernet`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nas.errors import NasError, unknown
from nas.evaluators.supernet_paths import PATHS
from nas.settings import require_ranges, setting
from nas.training import OPTIMIZERS, check_precision

__all__ = ["TRAIN_ON", "SupernetSettings"]

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
    paths: str = setting(
        "auto", "of a step: single, sandwich (largest, smallest, two drawn), progressive, or auto"
    )
    largest_epochs: int | None = setting(
        None, "of paths=sandwich: first epochs, of the largest alone; none: a tenth, if it sorts"
    )
    batch_size: int = setting(96, "examples a step")
    optimizer: str = setting("sgd", "of the weights: sgd or adam")
    learning_rate: float = setting(0.025, "at the start, cosine to 0")
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
        if self.optimizer not in OPTIMIZERS:
            raise unknown("evaluator.optimizer", self.optimizer, OPTIMIZERS)
        if self.train_on not in TRAIN_ON:
            raise unknown("evaluator.train_on", self.train_on, TRAIN_ON)
        if self.paths not in PATHS:
            raise unknown("evaluator.paths", self.paths, PATHS)
        if self.paths == "progressive" and self.train_on == "proposals":
            raise NasError(
                "evaluator.paths=progressive draws what it trains itself; it cannot go with "
                "evaluator.train_on=proposals"
            )
        ranges: dict[str, tuple[bool, str]] = {
            "epochs": (self.epochs >= 1, "at least 1"),
            "warmup_epochs": (self.warmup_epochs >= 0, "at least 0"),
            "proposals_per_epoch": (self.proposals_per_epoch >= 1, "at least 1"),
            "largest_epochs": ((self.largest_epochs or 0) >= 0, "at least 0, or none"),
            "batch_size": (self.batch_size >= 1, "at least 1"),
            "calibration": (self.calibration >= 1, "at least 1"),
            "score_together": (self.score_together >= 1, "at least 1"),
            "learning_rate": (0 < self.learning_rate < math.inf, "above 0"),
            "momentum": (0 <= self.momentum < 1, "0 to below 1"),
            "weight_decay": (0 <= self.weight_decay < math.inf, "at least 0"),
            "grad_clip": (self.grad_clip > 0, "above 0"),
        }
        require_ranges(self, "evaluator", ranges)
