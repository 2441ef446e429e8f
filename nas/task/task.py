"""Tasks: data, loss and metric of one problem, with its splits already on a device."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from nas.errors import NasError
from nas.task.arrays import check_arrays
from nas.task.augment import Augmentation
from nas.task.batches import Batches
from nas.task.dataset import open_datasets
from nas.task.device import find_device
from nas.task.division import Given, divide, given_arrays, given_datasets
from nas.task.examples.workers import worker_count
from nas.task.graph import Graph
from nas.task.info import TaskInfo
from nas.task.judging import Output, count_correct, cross_entropy
from nas.task.scale import check_scale

__all__ = ["Input", "Output", "Task", "TaskInfo"]

Input = Tensor | Graph
"""What a network is given; see `TaskInfo`."""


@dataclass(frozen=True, eq=False, repr=False)
class Task(Batches):
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

    scale: str
    classes: tuple[str, ...]
    label_smoothing: float
    auxiliary_weight: float
    origin: dict[str, Any]

    def __post_init__(self) -> None:
        check_scale(self.scale)
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
        return cross_entropy(output, target, self.label_smoothing, self.auxiliary_weight)

    def correct(self, output: Output, target: Tensor) -> int:
        """Return how many labels have the largest logit; of tokens each one counts."""
        return count_correct(output, target)

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
