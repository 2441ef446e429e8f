"""The settings of the DARTS family: which parts are composed, and their numbers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nas.errors import NasError, unknown
from nas.settings import fill, require_ranges, setting
from nas.training import OPTIMIZERS, check_precision

__all__ = ["DifferentiableSettings"]


@dataclass
class DifferentiableSettings:
    """A composition of parts. The defaults are those of DARTS (arXiv:1806.09055, app. A.1)."""

    relaxation: str = setting("softmax", "logits of a gate -> weights over its options")
    solver: str = setting("first-order", "how gates and weights are trained in turn")
    selection: str = setting("magnitude", "trained gates -> scores that an architecture is made of")
    regularisers: tuple[str, ...] = setting((), "terms added to the gates' loss")
    regulariser_scale: float = setting(1e-3, "weight of the regularisers")
    partial_channels: int = setting(1, "operations see every k-th part of the channels")
    edge_gates: bool = setting(False, "a gate over the inputs of every node")
    epochs: int = setting(50, "passes over the data")
    warm_up: float = setting(0.0, "share of the epochs in which gates are frozen")
    batch_size: int = setting(64, "examples a step, for weights and gates each")
    weight_optimizer: str = setting("sgd", "of the weights: sgd or adam")
    weight_lr: float = setting(0.025, "learning rate of the weights at the start")
    weight_lr_min: float = setting(0.001, "the same at the end of the cosine")
    momentum: float = setting(0.9, "of the weights' SGD")
    weight_decay: float = setting(3e-4, "of the weights")
    grad_clip: float = setting(5.0, "largest norm of the weights' gradient")
    gate_lr: float | None = setting(
        3e-4, "learning rate of the gates (Adam); none: from gate_travel"
    )
    gate_travel: float = setting(
        3.0, "where gate_lr is none: it becomes this over the number of gate steps"
    )
    gate_weight_decay: float = setting(1e-3, "of the gates")
    temperature_start: float = setting(1.0, "temperature of the relaxation at the start")
    temperature_end: float = setting(1.0, "the same at the end, linearly in between")
    perturbation_epochs: int = setting(
        5,
        "of tuning after each decision of selection=perturbation; DARTS-PT has 5, which on the CPU "
        "last longer than the search (darts: 34 decisions), so that small scale has 1; 0: none",
    )
    precision: str = setting("fp32", "fp32, or bf16: mixed precision (autocast)")
    stop_at_identities: int | None = setting(
        None, "stop before a cell has this many identity operations (DARTS+), e.g. 2"
    )

    def __post_init__(self) -> None:
        check_precision(self.precision, "precision")
        if self.weight_optimizer not in OPTIMIZERS:
            raise unknown("strategy.weight_optimizer", self.weight_optimizer, OPTIMIZERS)
        if self.weight_optimizer == "adam" and self.solver == "second-order":
            raise NasError(
                "strategy.solver=second-order differentiates through a step of SGD; it cannot go "
                "with strategy.weight_optimizer=adam"
            )
        ranges: dict[str, tuple[bool, str]] = {
            "regulariser_scale": (0 <= self.regulariser_scale < math.inf, "at least 0"),
            "partial_channels": (self.partial_channels >= 1, "at least 1"),
            "epochs": (self.epochs >= 1, "at least 1"),
            "warm_up": (0 <= self.warm_up < 1, "a share, 0 to below 1"),
            "batch_size": (self.batch_size >= 1, "at least 1"),
            "weight_lr": (0 < self.weight_lr < math.inf, "above 0"),
            "weight_lr_min": (0 <= self.weight_lr_min < math.inf, "at least 0"),
            "momentum": (0 <= self.momentum < 1, "0 to below 1"),
            "weight_decay": (0 <= self.weight_decay < math.inf, "at least 0"),
            "grad_clip": (self.grad_clip > 0, "above 0"),
            "gate_lr": (
                self.gate_lr is None or 0 < self.gate_lr < math.inf,
                "above 0, or none",
            ),
            "gate_travel": (0 < self.gate_travel < math.inf, "above 0"),
            "gate_weight_decay": (0 <= self.gate_weight_decay < math.inf, "at least 0"),
            "temperature_start": (0 < self.temperature_start < math.inf, "above 0"),
            "temperature_end": (0 < self.temperature_end < math.inf, "above 0"),
            "perturbation_epochs": (self.perturbation_epochs >= 0, "at least 0"),
            "stop_at_identities": (
                self.stop_at_identities is None or self.stop_at_identities >= 1,
                "at least 1, or none",
            ),
        }
        require_ranges(self, "strategy", ranges)

    @property
    def frozen_epochs(self) -> int:
        """How many epochs train weights alone; always fewer than there are."""
        return int(self.warm_up * self.epochs)

    def changed(self, values: Mapping[str, Any]) -> DifferentiableSettings:
        """Return these settings with a user's changes; a `gate_travel` replaces a `gate_lr`."""
        if "gate_travel" in values:
            values = {"gate_lr": None, **values}
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return fill(type(self), {**fields, **values}, "strategy")

    def at(self, scale: str, **small: Any) -> DifferentiableSettings:
        """Return these settings for "paper" scale, or with changes for "small" scale.

        With Adam a gate moves by at most its learning rate a step. On a few thousand images there
        are far fewer steps than in the papers (where gates can move by 2, PC-DARTS, to 29, GDAS),
        and fewer still on a few hundred, so that the learning rate follows from the distance.
        Weights train alone at first: untrained convolutions lose to pooling and identities.
        """
        if scale == "paper":
            return self
        changes = {
            "epochs": 20,
            "batch_size": min(self.batch_size, 64),
            "weight_lr": 0.05,
            "gate_lr": None,
            "warm_up": 0.4,
            "perturbation_epochs": 1,
        }
        return replace(self, **(changes | small))
