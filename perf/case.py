"""What is measured: the work that both sides do, and the ways in which ours can be run."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from nas.strategies.darts import darts
from nas.strategies.differentiable.settings import DifferentiableSettings
from nas.strategies.pc_darts import pc_darts

Batch = tuple[Tensor, Tensor]

STRATEGIES = {"darts": darts, "pc-darts": pc_darts}
COLOURS, CLASSES = 3, 10
PAPER_EPOCHS, PAPER_IMAGES = 50, 25_000  # of the weights' half, and as many of the gates'


@dataclass(frozen=True)
class Case:
    """The work of a pair of steps.

    Args:
        strategy: "darts" or "pc-darts".
        channels: Of the first cells' nodes.
        cells: How many.
        batch: Images a step; a pair of steps sees twice as many.
        size: Side of an image in pixels.
    """

    strategy: str
    channels: int
    cells: int
    batch: int = 32
    size: int = 32

    def __str__(self) -> str:
        return f"{self.strategy}, {self.channels} channels, {self.cells} cells"

    @property
    def name(self) -> str:
        """Strategy and network, for a table: "darts 16x8"."""
        return f"{self.strategy} {self.channels}x{self.cells}"

    def settings(self) -> DifferentiableSettings:
        """Return the settings of the strategy's paper."""
        return STRATEGIES[self.strategy]("paper")

    def batches(self, pairs: int, device: torch.device) -> list[tuple[Batch, Batch]]:
        """Return (train batch, valid batch) of random images, the same ones at every call."""
        generator = torch.Generator().manual_seed(0)
        shape = (2 * pairs, self.batch, COLOURS, self.size, self.size)
        images = torch.randn(shape, generator=generator).to(device)
        labels = torch.randint(CLASSES, shape[:2], generator=generator).to(device)
        every = list(zip(images, labels, strict=True))
        return list(zip(every[:pairs], every[pairs:], strict=True))

    def paper_minutes(self, seconds_a_pair: float) -> float:
        """Return how long the paper's search takes, were every step of its epochs a pair."""
        steps = -(-PAPER_IMAGES // self.batch)
        return PAPER_EPOCHS * steps * seconds_a_pair / 60


@dataclass(frozen=True)
class Variation:
    """A way of running our own code.

    Args:
        supernet: Options of the supernet.
        settings: Changes of the strategy's settings.
        precision: "fp32", "bf16" (autocast), or "fp64" to compare without rounding.
        channels_last: Whether weights and images lie in memory channel by channel.
    """

    supernet: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    precision: str = "fp32"
    channels_last: bool = False


def autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Return the context in which a step of a precision runs."""
    if precision != "bf16":
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)
