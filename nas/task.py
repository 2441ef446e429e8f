"""Tasks: data, loss and metric of one problem, with its splits already on a device."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from nas.data.arrays import check_arrays
from nas.data.augment import Augmentation
from nas.data.dataset import open_datasets
from nas.data.device import find_device
from nas.data.division import Given, divide, given_arrays, given_datasets
from nas.data.examples import Examples
from nas.data.examples.tensors import HostExamples, TensorExamples
from nas.data.examples.workers import worker_count
from nas.data.graph import Graph
from nas.data.info import TaskInfo
from nas.errors import NasError, unknown

__all__ = ["Input", "Output", "Task", "TaskInfo"]

Input = Tensor | Graph
"""What a network is given; see `TaskInfo`."""

Output = Tensor | Sequence[Tensor | None]
"""What a network returns: logits [B, classes], or [B, T, vocabulary] of tokens; or these and
something auxiliary, in training: logits, a scalar that is added to the loss, or None."""

SCALES = ("small", "paper")


@dataclass(frozen=True, eq=False, repr=False)
class Task:
    """Data, loss and metric of one classification problem.

    Make one with `from_arrays`, `from_dataset` or `nas.data.load_task`. Examples keep their
    source's type (uint8 or float32) and become normalised float32 batch by batch. They lie on the
    device, or in the host's memory where they would fill over half of the device's, or are read
    while training (see `from_dataset`); batches are the same in each case.

    Args:
        name: Of the data.
        info: Shapes.
        scale: "small" or "paper": which default widths and epochs suit the data.
        classes: Names of the classes.
        examples: Train, valid and test one after the other.
        y: Their labels, [N], or [N, T] of tokens, on the device.
        bounds: Split -> first row and the row after its last.
        mean: Of the first 32,768 examples of the train split (which is in random order), [C] or
            [D], in the units of raw examples; empty where raw examples are used as they are.
        std: The same of the standard deviation.
        augmentation: What `batches(..., augment=True)` does to images; None for vectors.
        label_smoothing: Of the cross entropy, in [0, 1).
        auxiliary_weight: Of the loss of auxiliary logits.
        origin: How the splits were made, JSON-able; part of `describe`.
    """

    name: str
    info: TaskInfo
    scale: str
    classes: tuple[str, ...]
    examples: Examples
    y: Tensor
    bounds: dict[str, tuple[int, int]]
    mean: Tensor
    std: Tensor
    augmentation: Augmentation | None
    label_smoothing: float
    auxiliary_weight: float
    origin: dict[str, Any]

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise unknown("scale", self.scale, SCALES)
        if not 0 <= self.label_smoothing < 1:
            raise NasError(
                f"{self.name}: label_smoothing={self.label_smoothing!r}: expected 0 to below 1"
            )
        if not self.auxiliary_weight >= 0:
            raise NasError(
                f"{self.name}: auxiliary_weight={self.auxiliary_weight!r}: expected at least 0"
            )
        if self.augmentation is not None and len(self.input_shape) != 3:
            raise NasError(f"{self.name}: augmentation needs images; inputs are {self.input_shape}")

    def __repr__(self) -> str:
        sizes = ", ".join(f"{self.size(split)} {split}" for split in ("train", "valid", "test"))
        return f"Task({self.name!r}, {self.input_shape} -> {self.outputs}, {sizes}, {self.device})"

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

    def describe(self) -> dict[str, Any]:
        """Return what a run records (JSON-able): shapes, sizes, seed, SHA-256 of each split.

        The hash is over the split's indices into the source's examples (int64, little-endian, in
        the split's order; test arrays count on after the training arrays).
        """
        return {
            "name": self.name,
            **self.info.as_dict(),
            "sizes": {split: self.size(split) for split in ("train", "valid", "test")},
            **self.origin,
        }

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

    # -- judging ------------------------------------------------------------------------------

    def loss(self, output: Output, target: Tensor) -> Tensor:
        """Return the mean cross entropy, plus what is auxiliary.

        That is the cross entropy of auxiliary logits times `auxiliary_weight`, or a scalar as it
        is: the weighted loss of a network's own, such as that of a router's balance.

        Args:
            output: Logits [B, classes] or [B, T, vocabulary], or a pair of these and auxiliary
                logits, a scalar or None.
            target: Labels, int64 [B] or [B, T].
        """
        logits, auxiliary = _logits(output)
        loss = self._cross_entropy(logits, target)
        if auxiliary is None:
            return loss
        if auxiliary.dim() == 0:
            return loss + auxiliary
        if not self.auxiliary_weight:
            return loss
        return loss + self.auxiliary_weight * self._cross_entropy(auxiliary, target)

    def _cross_entropy(self, logits: Tensor, target: Tensor) -> Tensor:
        logits, target = logits.flatten(0, -2), target.flatten()
        return functional.cross_entropy(logits, target, label_smoothing=self.label_smoothing)

    def correct(self, output: Output, target: Tensor) -> int:
        """Return how many labels have the largest logit; of tokens each one counts."""
        logits, _ = _logits(output)
        return int((logits.argmax(-1) == target).sum())

    def metrics(self, accuracy: float, loss: float) -> dict[str, float]:
        """Return the metrics of a whole split, named as `info.metrics`.

        Args:
            accuracy: Share of right predictions, in [0, 1].
            loss: Mean loss in nats; "bits_per_byte" of text, whose tokens are bytes, is this in
                bits.
        """
        found = {"accuracy": accuracy, "loss": loss, "bits_per_byte": loss / math.log(2)}
        return {name: found[name] for name in self.info.metrics}

    # -- making -------------------------------------------------------------------------------

    def to(self, device: str | torch.device) -> Task:
        """Return the task for a device; this one stays as it is.

        Examples that would fill over half of the memory of a device other than the CPU stay in
        the host's memory: batches are copied ahead of their use.

        Raises:
            NasError: When there is no such device, or the data would fill over half of the host's
                memory.
        """
        found = find_device(device)
        if found == self.device:
            return self
        moved = {name: getattr(self, name).to(found) for name in ("y", "mean", "std")}
        return replace(self, examples=self.examples.to(found, self.name), **moved)

    @classmethod
    def from_arrays(
        cls,
        x_train: Any,
        y_train: Any,
        x_test: Any = None,
        y_test: Any = None,
        *,
        name: str = "arrays",
        valid_fraction: float = 0.5,
        test_fraction: float = 0.2,
        limit: int | None = None,
        seed: int = 0,
        augmentation: Augmentation | None = None,
        classes: Sequence[str] | None = None,
        scale: str = "small",
        layout: str = "auto",
        label_smoothing: float = 0.0,
        auxiliary_weight: float = 0.4,
        device: str | torch.device = "cpu",
    ) -> Task:
        """Make a task from arrays of NumPy or torch.

        Args:
            x_train: Images [N, H, W], [N, H, W, C] or [N, C, H, W], or vectors [N, D]; uint8
                images stay uint8, all else becomes float32.
            y_train: Labels, integers 0, 1, ... of shape [N].
            x_test, y_test: The same for test; None takes test examples from the others.
            name: Of the data, in messages and records.
            valid_fraction: Share of the examples not for test that go to "valid".
            test_fraction: Share of all for "test", used only without test arrays. Which ones does
                not depend on `seed`, so that no other seed's run ever trains on them.
            limit: The most examples for "train" and "valid" together; None is no limit.
            seed: Decides limit and validation examples, stratified by class.
            augmentation: For images; None for none.
            classes: Names of the classes; None numbers the labels found.
            scale: "small" or "paper": which default widths and epochs suit the data.
            layout: "NCHW", "NHWC" or "auto": where exactly one of axes 1 and 3 has at most 4
                entries it holds the channels, otherwise equal axes are height and width.
            label_smoothing: Of the cross entropy, in [0, 1).
            auxiliary_weight: Of the loss of auxiliary logits.
            device: Where the data shall lie.

        Raises:
            NasError: Naming the array or setting and what was expected.
        """
        given = check_arrays(
            x_train, y_train, x_test, y_test, classes=classes, layout=layout, name=name
        )
        return cls._make(
            given_arrays(given, name),
            name=name,
            valid_fraction=valid_fraction,
            test_fraction=test_fraction,
            limit=limit,
            seed=seed,
            augmentation=augmentation,
            scale=scale,
            label_smoothing=label_smoothing,
            auxiliary_weight=auxiliary_weight,
            device=device,
        )

    @classmethod
    def from_dataset(
        cls,
        train_dataset: Any,
        test_dataset: Any = None,
        *,
        stream: bool | None = None,
        workers: int | None = None,
        **settings: Any,
    ) -> Task:
        """Make a task from torch datasets of (image, label), kept in memory or streamed.

        An image may be a tensor [C, H, W] or [H, W], an array, or a PIL image (grey and RGB
        stay, other modes become RGB); a vector [D] works too. Leave augmentation to the task: a
        random transform of the dataset is applied once and then fixed or, where examples are
        streamed, at every reading, and then batches do not follow from their seed.

        Streamed examples are read by other processes, ahead of their use, again in every pass.
        Their labels come from the datasets' `targets`; without these all are read once for them.

        Args:
            train_dataset: With `len` and indexing; its `classes`, if any, name the classes.
            test_dataset: The same; None takes test examples from the other.
            stream: Whether to stream; None: where the images would fill over half of the host's
                memory.
            workers: Processes that read streamed examples for each pass under way; 0 reads in
                this one; None is one less than the cores, at most 8.
            **settings: As for `from_arrays`.

        Raises:
            NasError: When an example is not such a pair or differs in shape or type from the first.
        """
        count = worker_count(workers)
        given = open_datasets(train_dataset, test_dataset, str(settings.get("name", "dataset")))
        found = {"name": "dataset", "layout": given.layout, "classes": given.classes, **settings}
        if not (stream or (stream is None and not given.fits())):
            return cls.from_arrays(*given.load(), **found)
        form = {key: found.pop(key) for key in ("classes", "layout")}
        given_ones = given_datasets(given, count, name=found["name"], **form)
        return cls.from_given(given_ones, **found)

    @classmethod
    def from_given(cls, given: Given, **settings: Any) -> Task:
        """Make a task of any kind from what a reader of data found.

        Args:
            given: Labels, examples and what they are.
            **settings: As for `from_arrays`, but for classes and layout.

        Raises:
            NasError: For a setting out of range, or examples that cannot be divided.
        """
        defaults = _defaults(cls.from_arrays)
        return cls._make(given, **{**defaults, **settings})

    @classmethod
    def _make(
        cls,
        given: Given,
        *,
        name: str,
        valid_fraction: float,
        test_fraction: float,
        limit: int | None,
        seed: int,
        device: str | torch.device,
        **facts: Any,
    ) -> Task:
        division = divide(
            given,
            valid_fraction=valid_fraction,
            test_fraction=test_fraction,
            limit=limit,
            seed=seed,
            name=name,
        )
        return cls(name=name, **vars(division), **facts).to(device)


def _defaults(function: Any) -> dict[str, Any]:
    """Return the defaults of `Task.from_arrays` that are not of arrays only."""
    parameters = inspect.signature(function).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    return {key: value for key, value in defaults.items() if key not in ("classes", "layout")}


def _logits(output: Output) -> tuple[Tensor, Tensor | None]:
    if isinstance(output, Tensor):
        return output, None
    logits, auxiliary = output
    assert logits is not None
    return logits, auxiliary
