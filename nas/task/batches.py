"""Examples on a device, divided into splits, and how they come in batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from nas.errors import NasError, unknown
from nas.task.augment import Augmentation
from nas.task.examples import Examples
from nas.task.examples.tensors import HostExamples, TensorExamples
from nas.task.info import TaskInfo

__all__ = ["Batches"]


@dataclass(frozen=True, eq=False, repr=False)
class Batches:
    """Examples with their labels, in splits; see `Task` for the arguments."""

    name: str
    info: TaskInfo
    examples: Examples
    y: Tensor
    bounds: dict[str, tuple[int, int]]
    mean: Tensor
    std: Tensor
    augmentation: Augmentation | None

    # -- facts --------------------------------------------------------------------------------

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example: (C, H, W) for images, (D,) for vectors; see `TaskInfo`."""
        return self.info.input_shape

    @property
    def outputs(self) -> int:
        """Number of classes."""
        return self.info.outputs

    @property
    def device(self) -> torch.device:
        """Where batches come out."""
        return self.y.device

    @property
    def x(self) -> Tensor:
        """All raw examples, [N, C, H, W] or [N, D], where they lie; `NasError` if streamed."""
        if isinstance(self.examples, (TensorExamples, HostExamples)):
            return self.examples.x
        raise NasError(f"{self.name}: streamed examples are not in memory; expected `batches`")

    def size(self, split: str) -> int:
        """Return the number of examples in a split."""
        start, stop = self._rows(split)
        return stop - start

    @property
    def full_batch(self) -> bool:
        """Whether every batch is a whole split, whatever batch size is asked for."""
        return self.examples.full_batch_steps > 0

    def steps(self, split: str, batch_size: int, *, drop_last: bool = False) -> int:
        """Return how many batches a pass over a split in random order has."""
        if self.full_batch:
            return self.examples.full_batch_steps
        size = self.size(split)
        return size // batch_size if drop_last else -(-size // batch_size)

    def leaves_one(self, split: str, batch_size: int) -> bool:
        """Tell whether the last batch would be one example, of which batch norm has no variance."""
        if self.full_batch:
            return False
        return self.size(split) % batch_size == 1 < batch_size < self.size(split)

    # -- batches ------------------------------------------------------------------------------

    def batches(
        self,
        split: str,
        batch_size: int,
        *,
        seed: int | None = None,
        augment: bool = False,
        drop_last: bool = False,
        cutout: int | None = None,
    ) -> Iterator[tuple[Any, Tensor]]:
        """Go once through a split.

        Where the examples are nodes of one graph that is run as a whole, the split is one batch,
        and a pass with a seed consists of several (see `full_batch`).

        Args:
            split: "train" (weights), "valid" (gates, scores), "test" or "train+valid".
            batch_size: Examples a batch; the last one may be smaller.
            seed: None for the fixed order. A number shuffles, and it alone decides order and
                augmentation: the same seed gives the same batches, on any device.
            augment: Whether to apply the task's augmentation; needs a seed.
            drop_last: Whether to leave out a smaller last batch.
            cutout: With `augment`: side in pixels of the square to blank, in place of the
                augmentation's own; for the final training of a network.

        Returns:
            Pairs of normalised float32 inputs [B, C, H, W] or [B, D] and int64 labels [B]; for
            what else there is see `TaskInfo`.

        Raises:
            NasError: For an unknown split, a batch size that yields no batch, augmentation
                without a seed, or cutout on vectors.
        """
        start, stop = self._rows(split)
        if self.full_batch:
            batch_size, drop_last = stop - start, False
        if batch_size < 1 or (drop_last and batch_size > stop - start):
            limit = f" to {stop - start}, the size of {split}" if drop_last else ""
            raise NasError(f"{self.name}: batch size {batch_size}: expected 1{limit}")
        if augment and seed is None:
            raise NasError(f"{self.name}: augmentation needs a seed")
        change = self._augmentation(cutout) if augment else None
        count = stop - start - ((stop - start) % batch_size if drop_last else 0)
        order: Tensor | range = range(start, start + count)
        generator = torch.Generator()
        if seed is not None and self.full_batch:
            order = torch.arange(start, stop).repeat(self.examples.full_batch_steps)
        elif seed is not None:
            generator.manual_seed(seed)
            order = start + torch.randperm(stop - start, generator=generator)[:count]
        return self._batches(order, batch_size, change, generator)

    def _rows(self, split: str) -> tuple[int, int]:
        if split not in self.bounds:
            raise unknown("split", split, self.bounds)
        return self.bounds[split]

    def _augmentation(self, cutout: int | None) -> Augmentation | None:
        if cutout and len(self.input_shape) != 3:
            raise NasError(f"{self.name}: cutout needs images; inputs are {self.input_shape}")
        if cutout is None:
            return self.augmentation
        return replace(self.augmentation or Augmentation(), cutout=cutout)

    def _batches(
        self,
        order: Tensor | range,
        size: int,
        change: Augmentation | None,
        generator: torch.Generator,
    ) -> Iterator[tuple[Any, Tensor]]:
        if isinstance(order, range):
            labels = self.y[order.start : order.stop]
        else:
            labels = self.y[order.to(self.device)]
        targets = (part.long() for part in torch.split(labels, size))
        with closing(self.examples.batches(order, size)) as batches:
            for x, y in zip(batches, targets, strict=True):
                if change is None:
                    yield self.normalise(x), y
                else:
                    yield change.erase(self.normalise(change.move(x, generator)), generator), y

    def normalise(self, x: Any) -> Any:
        """Bring raw examples [B, C, H, W] or [B, D] to mean 0 and deviation 1 of the train split.

        Sequences [B, T, D] are normalised by their last axis; numbers that a table lacks (NaN)
        become the mean; tokens and graphs stay as they are.

        Returns:
            A new float32 tensor of the same shape; int64 of tokens.
        """
        kind = self.info.kind
        if kind in ("nodes", "graphs"):
            return x
        if kind == "tokens":
            return x.long()
        channels_at_1 = kind == "examples"
        shape = (-1,) + (1,) * (x.dim() - 2 if channels_at_1 else 0)
        found = torch.sub(x, self.mean.view(shape)).div_(self.std.view(shape))
        return found.nan_to_num_(nan=0.0) if kind == "table" else found
