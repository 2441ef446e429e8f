"""Runs of a small space, to be started and recorded in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nas.objective import Measurement
from nas.run import Run
from nas.search_spaces.nas_bench_201 import NASBench201

SPACE = NASBench201()
ARCHITECTURES = SPACE.sample(np.random.default_rng(0), 4)
CONFIG: dict[str, Any] = {
    "space": "nas-bench-201",
    "strategy": "random",
    "objective": "accuracy",
    "seed": 0,
    "device": "cpu",
    "settings": {"supernet": {"channels": 4}, "strategy": {}},
    "task": {"input_shape": [3, 8, 8], "outputs": 3, "splits": {"sha256": "abc"}},
}


def create(folder: Path, **changes: Any) -> Run:
    return Run.create(folder, CONFIG | changes, SPACE)


def measurement(accuracy: float = 0.5) -> Measurement:
    return Measurement({"accuracy": accuracy, "loss": 1.0}, 0.25)
