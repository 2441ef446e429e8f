"""Training a network: the loop over batches, recipes, optimizers, precision."""

from __future__ import annotations

from nas.training.evaluate import evaluate
from nas.training.fit import fit
from nas.training.gradients import fill_gradients
from nas.training.loop import Stop
from nas.training.optimizers import OPTIMIZERS, kept_tensors, make_optimizer
from nas.training.precision import as_float, autocast, check_precision
from nas.training.recipes import (
    gate_recipe,
    kind_recipe,
    recipe_note,
    shared_weights_recipe,
    train_defaults,
)  # fmt: skip
from nas.training.settings import TrainSettings

__all__ = [
    "OPTIMIZERS", "Stop", "TrainSettings", "as_float", "autocast", "check_precision", "evaluate",
    "fill_gradients", "fit", "gate_recipe", "kept_tensors", "kind_recipe", "make_optimizer",
    "recipe_note", "shared_weights_recipe", "train_defaults",
]  # fmt: skip
