"""How much memory a training will take, estimated from steps on very few examples."""

from __future__ import annotations

import random
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["Batch", "MemoryEstimate", "Step", "estimate_peak"]

Batch = tuple[Any, Tensor]
"""Inputs [B, ...], or a graph of which rows can be taken, and targets [B, ...]."""
Step = Callable[[Batch], object]
"""A forward and a backward pass that changes neither weights nor their gradients."""
Moment = tuple[float, float]
"""What a moment of a step takes: bytes whatever the batch, and bytes an example."""

_SIZES = (2, 4)  # examples in the batches that are tried


@dataclass(frozen=True)
class MemoryEstimate:
    """The most memory that the tensors of a training take at a time, in bytes.

    Args:
        batch_size: Examples a step.
        weights: Parameters and buffers.
        gradients: Of the parameters; they are there from one step to the next.
        optimizer: What optimiser and solver keep beside them.
        moments: What steps take besides, at moments of which one is the worst for any batch size.
    """

    batch_size: int
    weights: int
    gradients: int
    optimizer: int
    moments: tuple[Moment, ...]

    @property
    def total(self) -> int:
        """The peak with batches of `batch_size`."""
        return self.at(self.batch_size)

    @property
    def per_example(self) -> int:
        """What the last example of a batch adds to the peak: activations, mostly."""
        return self.total - self.at(self.batch_size - 1)

    @property
    def kept(self) -> int:
        """What is there between steps, too."""
        return self.weights + self.gradients + self.optimizer

    def at(self, batch_size: int) -> int:
        """Return the peak with batches of another size."""
        return self.kept + round(max(base + each * batch_size for base, each in self.moments))

    def largest_batch(self, memory: float) -> int:
        """Return the largest batch that fits into so many bytes; 0 if none does."""
        room = memory - self.kept
        if any(base + each > room for base, each in self.moments):
            return 0
        return int(min((room - base) / max(each, 1.0) for base, each in self.moments))


def estimate_peak(
    module: nn.Module,
    steps: Sequence[Step],
    examples: Batch,
    batch_size: int,
    *,
    kept: int = 1,
    passing: int = 1,
) -> MemoryEstimate:
    """Estimate the peak memory of a training from steps on batches of 2 and of 4 examples.

    Tensors are counted as they come and go, whatever the allocator does; what kernels need within
    themselves is not counted. What is held is linear in the batch at every moment, so that each
    moment is extrapolated. Weights, buffers, modes and random states are left as they were.

    Args:
        module: On its device; it runs in training mode.
        steps: What the training does with a batch. Where steps differ, such as those along
            different paths, several: the largest counts.
        examples: A few, on the module's device.
        batch_size: Of the training.
        kept: Copies of the trained weights that optimiser and solver keep: 1 for momentum.
        passing: Copies that there are, beside the gradients, while the weights are changed.
    """
    there = [*module.parameters(), *module.buffers()]
    trained = sum(p.nbytes for p in module.parameters() if p.requires_grad)
    moments: set[Moment] = {(float(passing * trained), 0.0)}
    with _undisturbed(module):
        module.train()
        for seed, step in enumerate(steps):
            few, more = (_held(step, seed, examples, size, there) for size in _SIZES)
            moments |= _moments(few, more)
    weights = sum(tensor.nbytes for tensor in there)
    return MemoryEstimate(batch_size, weights, trained, kept * trained, _worst(moments))


def _held(step: Step, seed: int, examples: Batch, size: int, there: list[Tensor]) -> list[int]:
    """Return the bytes held beyond those before, after every operation that made a tensor."""
    torch.manual_seed(seed)
    rows = torch.arange(size, device=there[0].device) % len(examples[1])
    tally = _Tally(there)
    with tally:
        step((examples[0][rows], examples[1][rows]))
    return tally.history


def _moments(few: list[int], more: list[int]) -> set[Moment]:
    if len(few) != len(more):  # moments cannot be told apart
        few, more = [max(few)], [max(more)]
    least, most = _SIZES
    slopes = [max(0.0, (b - a) / (most - least)) for a, b in zip(few, more, strict=True)]
    return {(b - each * most, each) for b, each in zip(more, slopes, strict=True)}


def _worst(moments: set[Moment]) -> tuple[Moment, ...]:
    """Leave out moments that take no more than another one, whatever the batch."""
    worst: list[Moment] = []
    for base, each in sorted(moments, reverse=True):
        if not worst or each > worst[-1][1]:
            worst.append((base, each))
    return tuple(worst)


class _Tally(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of the tensors that operations make, until they are given back."""

    def __init__(self, there: Sequence[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.history: list[int] = []
        self._held = 0
        self._device = there[0].device
        self._known: dict[int, Any] = {}  # id of a storage (it lasts as long) -> what it is
        for tensor in there:
            self._add(tensor.untyped_storage(), 0)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        for tensor in _tensors(output):
            storage = tensor.untyped_storage()
            if id(storage) not in self._known:  # a view of what was there before is nothing new
                old = any(t.untyped_storage() is storage for t in _tensors((args, kwargs)))
                self._add(storage, 0 if old or tensor.device != self._device else storage.nbytes())
        return output

    def _add(self, storage: Any, size: int) -> None:
        def release(_: Any) -> None:
            self._held -= size
            del self._known[key]

        key = id(storage)
        self._known[key] = weakref.ref(storage, release)
        self._held += size
        self.history.append(self._held)


def _tensors(values: Any) -> Iterator[Tensor]:
    """Iterate over the tensors in nested tuples, lists and dictionaries."""
    if isinstance(values, Tensor):
        if values.layout is torch.strided:
            yield values
    elif isinstance(values, (tuple, list)):
        for value in values:
            yield from _tensors(value)
    elif isinstance(values, dict):
        yield from _tensors(list(values.values()))


@contextmanager
def _undisturbed(module: nn.Module) -> Iterator[None]:
    """Put buffers, modes and the states of random numbers back at the end of a block."""
    buffers = [(buffer, buffer.clone()) for buffer in module.buffers()]
    modes = [(part, part.training) for part in module.modules()]
    try:
        with _same_random_numbers(module):
            yield
    finally:
        for part, training in modes:
            part.training = training
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)


@contextmanager
def _same_random_numbers(module: nn.Module) -> Iterator[None]:
    states = random.getstate(), np.random.get_state()
    devices = {p.device for p in module.parameters() if p.device.type == "cuda"}
    with torch.random.fork_rng(list(devices)):
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
