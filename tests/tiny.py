"""Arrays and tasks, of every kind, that are as small as may be."""

from __future__ import annotations

from typing import Any

import numpy as np

from nas.data import load_task
from nas.data.text import TextSettings, given_text
from nas.task import Task

__all__ = ["make_task", "text_task", "tiny_arrays"]


def tiny_arrays() -> dict[str, Any]:
    """40 random images of 3 classes, and 12 for test."""
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.normal(size=(40, 3, 8, 8)).astype("float32"),
        "y_train": np.arange(40) % 3,
        "x_test": rng.normal(size=(12, 3, 8, 8)).astype("float32"),
        "y_test": np.arange(12) % 3,
    }


def text_task() -> Task:
    text = b"the quick brown fox jumps over the lazy dog. " * 60
    return Task.from_given(given_text(text, TextSettings(context=8), "fox"), name="fox", limit=60)


def make_task(kind: str) -> Task:
    """Return a task of a kind; `sampled` is of nodes whose neighbours are sampled."""
    if kind == "tokens":
        return text_task()
    spec = {
        "examples": "table:iris",
        "table": "table:wine",
        "sequence": "digits-patches",
        "nodes": "digits-graph",
        "sampled": "digits-graph",
        "graphs": "digits-pixels",
    }[kind]
    settings: dict[str, Any] = {"limit": 80}
    if spec == "digits-graph":
        settings |= {"steps": 2} if kind == "nodes" else {"fanout": (3, 2), "inductive": True}
    return load_task(spec, **settings)
