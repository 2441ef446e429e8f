"""The checkpoint of a training: where it goes on after an interruption."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from nas.errors import NasError
from nas.storage import load_checkpoint, save_checkpoint
from nas.training.loop import Training

__all__ = ["restore", "save"]


def save(file: Path | None, training: Training, metrics: dict[str, float] | None = None) -> None:
    """Write the checkpoint of a training.

    Args:
        file: Where; None is nowhere.
        training: After an epoch.
        metrics: What it ended with; None while it goes on.
    """
    if file is None:
        return
    state = {
        "identity": _identity(training),
        "network": training.network.state_dict(),
        "optimizer": training.optimizer.state_dict(),
        "history": training.history,
        "metrics": metrics,
        "best": training.best.state,
    }
    save_checkpoint(file, state)


def restore(file: Path | None, training: Training) -> dict[str, float] | None:
    """Go on from the checkpoint, if there is one; return the metrics that it ended with.

    Raises:
        NasError: If it is damaged or of another training.
    """
    state = load_checkpoint(file) if file else None
    if state is None:
        return None
    known = state.get("identity") or {}
    for name, value in _identity(training).items():
        if known.get(name) != value:
            raise NasError(
                f"checkpoint {file} is of another training "
                f"({_difference(name, known.get(name), value)}); delete it to start over"
            )
    training.network.load_state_dict(state["network"])
    training.optimizer.load_state_dict(state["optimizer"])
    training.history, training.best.state = state["history"], state.get("best")
    metrics: dict[str, float] | None = state["metrics"]
    return metrics


def _identity(training: Training) -> dict[str, Any]:
    """Return what must be the same for a checkpoint to be of this training."""
    task, weights = training.task, training.network.state_dict().items()
    return {
        **{f"train.{name}": value for name, value in asdict(training.settings).items()},
        "seed": training.seed,
        "split": training.split,
        "evaluate_on": training.evaluate_on,
        "each_epoch": training.each_epoch,
        "label_smoothing": training.smoothed.label_smoothing,
        "auxiliary_weight": task.auxiliary_weight,
        "augmentation": repr(task.augmentation),
        "data": task.describe(),
        "network": {name: list(weight.shape) for name, weight in weights},
    }


def _difference(name: str, there: Any, here: Any) -> str:
    if isinstance(here, dict):
        return f"another {name}"
    return f"{name}={there!r} there, {here!r} here"
