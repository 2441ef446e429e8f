"""Every space with every strategy and every evaluator: it runs, or is refused with a reason.

The default run takes a share of all combinations in which every space and every strategy comes
up several times; `-m slow` runs the others.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from every import BLACK_BOX, DIFFERENTIABLE, EVALUATORS, SPACES
from tiny import make_task
from torch import Tensor

from nas import registry
from nas.errors import NasError
from nas.resolve import resolve_entry
from nas.search import search
from nas.task import Task

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


def refusal(space: str, strategy: str, evaluator: str, task: Task) -> str | None:
    """Return what the message says where a combination is not supported; None where it is.

    What a space cannot do it says itself, with what to take instead.
    """
    made, info = SPACES[space](), task.info
    if evaluator == "table" and made.name != "nas-bench-graph":  # the only one that is built in
        return "no table of space"
    parts = {"partial_channels": 4, "edge_gates": True} if strategy == "pc-darts" else {}
    try:
        if strategy in DIFFERENTIABLE or evaluator == "supernet":
            made.supernet(info, **made.supernet_defaults("small"), **parts)
    except NasError as error:
        assert re.search("use --evaluator train|take a strategy without them", str(error)), error
        return re.escape(str(error))
    return None


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
    kind = SPACES[space]().kind
    task = tiny_task if kind == "examples" else make_task(kind)
    if strategy in DIFFERENTIABLE:
        groups["strategy"] = {"epochs": 1, "batch_size": 10}
        if evaluator == "supernet":
            del groups["evaluator"]["epochs"]
    evaluations = 2 if strategy in BLACK_BOX else None

    def run() -> Any:
        return search(
            SPACES[space](), strategy, task, evaluator, evaluations=evaluations,
            out=tmp_path / "run", settings=groups,
        )  # fmt: skip

    reason = refusal(space, strategy, evaluator, task)
    if reason:
        with pytest.raises(NasError, match=reason):
            run()
        assert not (tmp_path / "run").exists()  # nothing was begun
        return
    done = run()
    found = done.best
    assert SPACES[space]().check(found.architecture) is None
    assert len(done.trials()) == (2 if strategy in BLACK_BOX else 1)
    if evaluator in ("supernet", "train"):
        assert 0 <= found.metrics["accuracy"] <= 1
        network = found.build("inherited")
        examples = task.info.example(2)
        with torch.no_grad():
            output = network(examples)
        logits = output if isinstance(output, Tensor) else output[0]
        assert logits.shape[-1] == task.outputs
        assert logits.shape[:-1].numel() == task.info.target(2).numel()
