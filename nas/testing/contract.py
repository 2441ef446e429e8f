"""What contracts are checked on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nas.space import Architecture, SearchSpace
from nas.task import Graph, TaskInfo

__all__ = ["TASKS", "Contract", "output_shape", "tensors", "with_gradient"]

TASKS = {
    "examples": TaskInfo((3, 8, 8), 10),
    "table": TaskInfo((5,), 3, "table", categories=(0, 3, 0, 4, 0)),
    "tokens": TaskInfo((8,), 11, "tokens", vocabulary=11),
    "sequence": TaskInfo((6, 5), 4, "sequence"),
    "nodes": TaskInfo((5,), 3, "nodes"),
    "graphs": TaskInfo((5,), 3, "graphs"),
}
"""Kind of a task -> a small one."""
_EXAMPLES = {"nodes": 12}
"""Examples of a batch, by kind; 4 of others."""


class Contract:
    """What the tests are run on; override what does not suit the space."""

    network_settings: Mapping[str, Any] = {}
    """Settings of `build`: small, so that the tests are fast."""
    supernet_options: Mapping[str, Any] = {}
    """Options of `supernet`."""
    matching_settings: Mapping[str, Any] | None = None
    """Settings of `build` that give the networks which the supernet with these options extracts."""
    samples = 500
    """How many random architectures the cheap tests see."""
    networks = 2
    """How many random architectures the tests that run networks see."""
    canonical_is_exact = True
    """Whether `canonical` keeps the operations. False where a published table defines it so that
    operations without effect are dropped."""

    def make_space(self) -> SearchSpace:
        """Return the space to be tested."""
        raise NotImplementedError("override make_space")

    def make_task(self) -> TaskInfo:
        """Return the shapes of a small problem that the space can solve, of the space's kind."""
        return TASKS[self.make_space().kind]

    def make_batch(self) -> Tensor | Graph:
        """Return inputs for a network of the task; those that are numbers in float64."""
        task, generator = self.make_task(), torch.Generator().manual_seed(0)
        if task.kind == "examples":
            shape = (4, *task.input_shape)
            return torch.randn(shape, dtype=torch.float64, generator=generator)
        batch = task.example(_EXAMPLES.get(task.kind, 4), generator)
        whole = isinstance(batch, Tensor) and not batch.is_floating_point()
        return batch if whole else batch.double()

    def draw(self, space: SearchSpace, n: int, seed: int = 0) -> list[Architecture]:
        """Return random architectures."""
        return space.sample(np.random.default_rng(seed), n)


def tensors(output: Any) -> list[Tensor]:
    """Return what a network gave as a list: logits, then auxiliary logits where there are any."""
    return [output] if isinstance(output, Tensor) else [y for y in output if y is not None]


def with_gradient(x: Tensor | Graph) -> tuple[Tensor | Graph, Tensor | None]:
    """Return a copy of inputs, and the tensor in it that gets a gradient; None for tokens."""
    if isinstance(x, Graph):
        features = x.features.clone().requires_grad_()
        return replace(x, features=features), features
    copied = x.clone().requires_grad_(x.is_floating_point())
    return copied, copied if copied.requires_grad else None


def output_shape(task: TaskInfo, x: Tensor | Graph) -> tuple[int, ...]:
    """Return the shape of the logits for inputs."""
    rows = x.shape if task.kind == "tokens" and isinstance(x, Tensor) else (len(x),)
    return (*rows, task.outputs)
