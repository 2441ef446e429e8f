"""What contracts are checked on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nas.space import Architecture, SearchSpace
from nas.task import TaskInfo

__all__ = ["Contract", "tensors"]


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
        """Return the shapes of a small problem that the space can solve."""
        return TaskInfo((3, 8, 8), 10)

    def make_batch(self) -> Tensor:
        """Return inputs for a network of the task."""
        generator = torch.Generator().manual_seed(0)
        shape = (4, *self.make_task().input_shape)
        return torch.randn(shape, dtype=torch.float64, generator=generator)

    def draw(self, space: SearchSpace, n: int, seed: int = 0) -> list[Architecture]:
        """Return random architectures."""
        return space.sample(np.random.default_rng(seed), n)


def tensors(output: Any) -> list[Tensor]:
    """Return what a network gave as a list: logits, then auxiliary logits where there are any."""
    return [output] if isinstance(output, Tensor) else [y for y in output if y is not None]
