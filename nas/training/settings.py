"""The settings of a training: one recipe."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from nas.errors import unknown
from nas.settings import require_ranges, setting
from nas.training.optimizers import OPTIMIZERS
from nas.training.precision import check_precision

__all__ = ["KEEP", "SCHEDULES", "TrainSettings"]

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
