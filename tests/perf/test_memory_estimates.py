"""Estimates of peak memory against the true peaks of searches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas import registry
from nas.mutables import OneOf
from nas.search.memory import estimate_search
from nas.search_spaces.darts import DARTS
from nas.search_spaces.module import ModuleSpace
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.strategies.differentiable.strategy import DifferentiableStrategy
from nas.task import Task
from perf.measure import profiled

SMALL = {"channels": 4, "layers": 3}
GATED = {"partial_channels": 2, "edge_gates": True}
CASES: dict[str, tuple[Any, str, dict[str, Any], dict[str, Any]]] = {
    "darts": (DARTS, "darts", SMALL, {}),
    "plain": (NASBench201, "darts", {"channels": 8, "cells": 1, "execution": "plain"}, {}),
    "pc-darts": (DARTS, "pc-darts", SMALL | GATED, {}),
    "nas-bench-201": (NASBench201, "drnas", {"channels": 8, "cells": 1}, {}),
    "second-order": (NASBench201, "darts", {"channels": 8, "cells": 1}, {"solver": "second-order"}),
}
BATCH = 32


class Wide(nn.Module):
    """Mostly weights: about as much as the activations of a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.first = OneOf({"a": nn.Linear(192, 400), "b": nn.Linear(192, 400)}, label="first")
        self.second = OneOf({"c": nn.Linear(400, 400), "d": nn.Linear(400, 400)}, label="second")
        self.head = nn.Linear(400, 3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.second(self.first(x.flatten(1)).relu()).relu())
        return y


def make_task(batch_size: int) -> Task:
    rng = np.random.default_rng(0)
    images = rng.normal(size=(3 * batch_size, 3, 8, 8)).astype("float32")
    return Task.from_arrays(images, np.arange(len(images)) % 3)


def true_peak(strategy: DifferentiableStrategy, task: Task, batch_size: int) -> int:
    """Return what a step holds at most, with all that is there before it."""
    batches = [next(iter(task.batches(split, batch_size))) for split in ("train", "valid")]
    strategy.step(*batches)
    supernet, states = strategy.supernet, strategy.weight_optimizer.state.values()
    tensors = [*supernet.parameters(), *supernet.buffers()]
    tensors += [p.grad for p in supernet.parameters() if p.grad is not None]
    tensors += [t for state in states for t in state.values() if isinstance(t, Tensor)]
    peak = profiled(lambda: strategy.step(*batches), torch.device("cpu")).peak_bytes
    return peak + sum(tensor.nbytes for tensor in tensors)


def strategy_of(space: Any, name: str, options: dict[str, Any], **settings: Any) -> Any:
    torch.manual_seed(0)
    task = make_task(BATCH)
    chosen = registry.get("strategies", name).factory("small")
    chosen = chosen.changed({"warm_up": 0.0, **settings})
    return DifferentiableStrategy(chosen, space.supernet(task.info, **options), task), task


@pytest.mark.parametrize(("space", "name", "options", "settings"), CASES.values(), ids=CASES)
def test_within_a_quarter_of_the_true_peak(
    space: Any, name: str, options: dict[str, Any], settings: dict[str, Any]
) -> None:
    strategy, task = strategy_of(space(), name, options, **settings)
    estimate = estimate_search(strategy, task, BATCH)
    assert estimate.total == pytest.approx(true_peak(strategy, task, BATCH), rel=0.25)


@pytest.mark.parametrize("batch_size", [6, 40, 400])
def test_weights_that_outweigh_activations(batch_size: int) -> None:
    """What is worst in small batches is not what is worst in large ones."""
    strategy, _ = strategy_of(ModuleSpace(Wide), "darts", {})
    task = make_task(batch_size)
    estimate = estimate_search(strategy, task, batch_size)
    assert estimate.total == pytest.approx(true_peak(strategy, task, batch_size), rel=0.25)
