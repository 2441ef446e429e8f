"""Every space with every strategy and every evaluator: it runs, or is refused with a reason.

The default run takes a share of all combinations in which every space and every strategy comes
up several times; `-m slow` runs the others.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from every import BLACK_BOX, DIFFERENTIABLE, EVALUATORS, SPACES
from torch import Tensor

from nas import registry
from nas.errors import NasError
from nas.resolve import resolve_entry
from nas.search import search
from nas.space import SearchSpace
from nas.task import Task, TaskInfo

CELLS = {"supernet": {"channels": 8, "layers": 3}, "network": {"channels": 4, "layers": 3}}
DENSE = {"supernet": {"channels": 8, "cells": 1}, "network": {"channels": 4, "cells": 1}}
SMALL: dict[str, dict[str, dict[str, Any]]] = {
    "darts": CELLS,
    "nas-bench-201": DENSE,
    "nasnet": {"network": {"channels": 4, "layers": 3}},
    "nas-bench-101": {"network": {"channels": 8, "stacks": 2, "cells": 1}},
}
"""Small networks; a space without an entry takes its own for scale "small"."""

STRATEGIES = [*BLACK_BOX, *DIFFERENTIABLE]
SHARE = 13  # one in so many combinations is in the default run


def combinations() -> list[Any]:
    """Return all combinations; most are marked as slow."""
    found = []
    for i, combination in enumerate(itertools.product(SPACES, STRATEGIES, EVALUATORS)):
        marks = [] if i % SHARE == 0 else [pytest.mark.slow]
        found.append(pytest.param(*combination, marks=marks, id="-".join(combination)))
    return found


def is_supported(make: Callable[[], SearchSpace], strategy: str, evaluator: str) -> bool:
    """Tell whether a combination makes sense; what the space itself refuses does not."""
    space, info = make(), TaskInfo((3, 8, 8), 3)
    if evaluator == "table" and space.name != "nas-bench-graph":
        return False  # the only table that is built in
    parts = {"partial_channels": 4, "edge_gates": True} if strategy == "pc-darts" else {}
    try:
        if strategy in DIFFERENTIABLE or evaluator == "supernet":
            space.supernet(info, **space.supernet_defaults("small"), **parts)
        if evaluator != "table":
            space.build(space.sample(np.random.default_rng(0), 1)[0], info)
    except NasError:
        return False
    return True


def test_every_evaluator_is_paired() -> None:
    assert {resolve_entry("evaluators", name)[0].name for name in EVALUATORS} == set(
        registry.names("evaluators")
    )


@pytest.mark.parametrize(("space", "strategy", "evaluator"), combinations())
def test_every_pairing_runs_or_is_refused_with_a_reason(
    space: str, strategy: str, evaluator: str, tiny_task: Task, tmp_path: Path, no_report: None
) -> None:
    groups = {name: dict(values) for name, values in SMALL.get(space, {}).items()}
    groups["evaluator"] = dict(EVALUATORS[evaluator])
    if strategy in DIFFERENTIABLE:
        groups["strategy"] = {"epochs": 1, "batch_size": 10}
        if evaluator == "supernet":
            del groups["evaluator"]["epochs"]
    evaluations = 2 if strategy in BLACK_BOX else None

    def run() -> Any:
        return search(
            SPACES[space](), strategy, tiny_task, evaluator, evaluations=evaluations,
            out=tmp_path / "run", settings=groups,
        )  # fmt: skip

    if not is_supported(SPACES[space], strategy, evaluator):
        with pytest.raises(NasError):
            run()
        assert not (tmp_path / "run").exists()  # nothing was begun
        return
    done = run()
    found = done.best
    assert SPACES[space]().check(found.architecture) is None
    assert len(done.trials()) == (2 if strategy in BLACK_BOX else 1)
    if evaluator in ("supernet", "train"):
        network = found.build("inherited")
        with torch.no_grad():
            output = network(torch.zeros(2, *tiny_task.input_shape))
        assert (output if isinstance(output, Tensor) else output[0]).shape == (2, 3)
