"""How networks are trained where nothing else is said, by scale and kind of task.

Sources: for nodes of a graph GCN (Kipf and Welling, ICLR 2017, arXiv:1609.02907, sec. 5.2) and
GraphNAS (Gao et al., IJCAI 2020, arXiv:1904.09981).
"""

from __future__ import annotations

from typing import Any

from nas.errors import unknown

__all__ = ["gate_recipe", "kind_recipe", "recipe_note", "shared_weights_recipe", "train_defaults"]

_RECIPES: dict[str, dict[str, Any]] = {
    "nodes": {
        "epochs": 20,
        "optimizer": "adam",
        "learning_rate": 0.01,
        "schedule": "constant",
        "weight_decay": 5e-4,
        "keep": "best",
    },
}
"""Kind of a task -> settings where it has a recipe of its own, at every scale.

Nodes of a graph: that of GCN and GraphNAS; 20 epochs of a whole graph's 10 steps are 200 steps.
"""
_SMALL_RECIPES: dict[str, dict[str, Any]] = {
    "tokens": {"optimizer": "adam", "learning_rate": 0.01, "weight_decay": 0.0},
}
"""The same at small scale only."""
_OF_WEIGHTS = ("optimizer", "learning_rate", "weight_decay")
"""What supernets take of `_RECIPES`: by SGD one of graph networks learns nothing of Cora."""
_SMALL_GATE_RECIPES: dict[str, dict[str, Any]] = {"nodes": {"epochs": 12}}
"""Of the DARTS family at small scale: by Adam a supernet has learnt a graph in a few epochs."""


def shared_weights_recipe(kind: str) -> dict[str, Any]:
    """Return the settings of a supernet's training in which a kind of tasks differs from others."""
    recipe = _RECIPES.get(kind, {})
    return {name: recipe[name] for name in _OF_WEIGHTS if name in recipe}


def gate_recipe(kind: str, scale: str) -> dict[str, Any]:
    """Return the same in the words of the DARTS family, whose rate is constant then."""
    small = _SMALL_GATE_RECIPES.get(kind, {}) if scale == "small" else {}
    weights = shared_weights_recipe(kind)
    if not weights:
        return small
    rate = weights["learning_rate"]
    return small | {
        "weight_optimizer": weights["optimizer"],
        "weight_lr": rate,
        "weight_lr_min": rate,
        "weight_decay": weights["weight_decay"],
    }


def kind_recipe(kind: str, scale: str) -> dict[str, Any]:
    """Return the settings in which the recipe of a kind of tasks differs from that of others."""
    small = _SMALL_RECIPES.get(kind, {}) if scale == "small" else {}
    return _RECIPES.get(kind, {}) | small


def recipe_note(kind: str, scale: str, settings: object) -> str:
    """Write those settings of a training for which a kind of tasks has a recipe of its own.

    Args:
        kind: Of the task.
        scale: "small" or "paper".
        settings: Of the training.
    """
    return ", ".join(f"{name}={getattr(settings, name)}" for name in kind_recipe(kind, scale))


def train_defaults(scale: str, kind: str = "examples") -> dict[str, Any]:
    """Return the settings that differ from the papers' for CIFAR-10.

    Args:
        scale: Of the task: "small" or "paper".
        kind: Of the task, see `TaskInfo`.
    """
    usual = kind_recipe(kind, scale)
    if scale == "paper":
        return usual
    if scale == "small":
        # Channels-last steps take 1/1.4 to 1/1.8 of the time for cells of depthwise convolutions on
        # a CPU core, and 1.15 times as long for NAS-Bench-201's few dense ones.
        schedule = {"epochs": 25, "learning_rate": 0.05}
        small = {**schedule, "drop_path": 0.0, "cutout": 0, "channels_last": True}
        return small | usual
    raise unknown("scale", scale, ["small", "paper"])
