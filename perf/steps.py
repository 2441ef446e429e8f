"""A pair of steps, one of the gates and then one of the weights: as published, and ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.darts import DARTS
from nas.strategies.differentiable.strategy import DifferentiableStrategy
from nas.task import TaskInfo
from perf.case import CLASSES, COLOURS, Batch, Case, Variation, autocast
from perf.reference import ReferenceSupernet
from perf.twin import copy_logits, copy_weights

Losses = tuple[float, float]
"""Mean loss on the gates' batch and on the weights' batch, each before its step."""

_GATE_BETAS = (0.5, 0.999)  # of Adam, as published


class Search(Protocol):
    """One side of a comparison."""

    def step(self, train_batch: Batch, valid_batch: Batch) -> Losses:
        """Take a pair of steps."""


class CrossEntropy:
    """The loss and metric that a strategy asks its task for."""

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output, target)

    def correct(self, output: Tensor, target: Tensor) -> int:
        return int((output.argmax(1) == target).sum())


class OurSearch:
    """A supernet and a strategy of `nas`, as a search uses them.

    Args:
        case: What to do; the same case gives the same initial weights.
        variation: How.
        device: Where.
    """

    def __init__(self, case: Case, variation: Variation, device: torch.device) -> None:
        torch.manual_seed(0)
        how = {"precision": "bf16"} if variation.precision == "bf16" else {}
        settings = case.settings().changed({**variation.settings, **how})
        self.variation = variation
        self.device = device
        self.supernet = DARTS().supernet(
            TaskInfo((COLOURS, case.size, case.size), CLASSES),
            channels=case.channels,
            layers=case.cells,
            partial_channels=settings.partial_channels,
            edge_gates=settings.edge_gates,
            **variation.supernet,
        )
        dtype = torch.float64 if variation.precision == "fp64" else torch.float32
        self.supernet.to(device, dtype)
        if variation.channels_last:
            for weight in self.supernet.parameters():
                weight.data = _channels_last(weight.data)
        self.strategy = DifferentiableStrategy(settings, self.supernet, CrossEntropy())
        for logits in self.strategy.logits.values():
            logits.data = logits.data.to(dtype)
        self.strategy.begin_epoch(settings.frozen_epochs)  # the first one that trains gates

    def step(self, train_batch: Batch, valid_batch: Batch) -> Losses:
        how = (self.variation.precision, self.variation.channels_last)
        figures = self.strategy.step(prepared(train_batch, *how), prepared(valid_batch, *how))
        train, valid = (figures[f"{s}_loss"] / figures[f"{s}_count"] for s in ("train", "valid"))
        return valid, train


class ReferenceSearch:
    """The same search as the published programs do it, first order.

    Both steps compute the gradients of weights and of gates, and each uses half of them.

    Args:
        ours: Whose settings, weights and gate logits to begin with.
        case: What to do.
        precision: As of a `Variation`.
    """

    def __init__(self, ours: OurSearch, case: Case, precision: str = "fp32") -> None:
        self.settings = settings = ours.strategy.settings
        self.precision = precision
        self.device = ours.device
        shape = (COLOURS, CLASSES, case.channels, case.cells)
        kind = (settings.partial_channels, settings.edge_gates)
        like = next(ours.supernet.parameters())
        self.network = ReferenceSupernet(*shape, *kind).to(like)
        copy_weights(ours.supernet, self.network)
        copy_logits(ours.strategy.logits, self.network)
        self.weight_optimizer = torch.optim.SGD(
            self.network.parameters(),
            ours.strategy.weight_lr,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
        )
        assert settings.gate_lr is not None
        self.gate_optimizer = torch.optim.Adam(
            self.network.gates(),
            settings.gate_lr,
            betas=_GATE_BETAS,
            weight_decay=settings.gate_weight_decay,
        )

    def step(self, train_batch: Batch, valid_batch: Batch) -> Losses:
        self.network.train()
        return self.gate_step(valid_batch), self.weight_step(train_batch)

    def gate_step(self, batch: Batch) -> float:
        """Train the gates on a batch; return the loss before."""
        self.gate_optimizer.zero_grad()
        loss, _ = self.loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        self.gate_optimizer.step()
        return loss.item()

    def weight_step(self, batch: Batch) -> float:
        """Train the weights on a batch; return the loss before."""
        self.weight_optimizer.zero_grad()
        loss, logits = self.loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.grad_clip)
        self.weight_optimizer.step()
        CrossEntropy().correct(logits, batch[1])  # a figure that every search logs
        return loss.item()

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the loss of a batch, and the logits [B, classes]."""
        x, target = prepared(batch, self.precision)
        with autocast(self.precision, self.device):
            logits = self.network(x)
            return F.cross_entropy(logits, target), logits


def trajectory(search: Search, batches: Sequence[tuple[Batch, Batch]]) -> list[float]:
    """Take a pair of steps on each of some batches; return all losses.

    On a GPU convolutions are exact in this, not rounded to TF32.
    """
    allowed = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        return [loss for train, valid in batches for loss in search.step(train, valid)]
    finally:
        torch.backends.cudnn.allow_tf32 = allowed


def prepared(batch: Batch, precision: str, channels_last: bool = False) -> Batch:
    """Bring the images of a batch into the type and memory format of a step."""
    x, target = batch
    x = x.double() if precision == "fp64" else x
    return _channels_last(x) if channels_last else x, target


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x
