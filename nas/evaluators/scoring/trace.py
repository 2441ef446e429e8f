"""What candidates compute, written down step by step, so that equal steps are run once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Protocol, runtime_checkable

from torch import Tensor

from nas.space import Path

__all__ = ["Norm", "Step", "Trace", "Traceable"]


Norm = tuple[Tensor | None, Tensor | None, float]
"""Scale and shift of batch norm, [C] each or None, and what is added to the variance."""


@dataclass(frozen=True, eq=False)
class Step:
    """One tensor that candidates compute.

    Args:
        inputs: The steps that it is computed from.
        function: Takes their tensors; with a weight: the first one, weight and bias (or None).
        digest: Stands for what the step computes; the same in every process.
        weight: Of a convolution that is followed by batch norm.
        norm: Batch norm of what `function` gives.
    """

    inputs: tuple[int, ...]
    function: Callable[..., Tensor]
    digest: bytes
    weight: Tensor | None = None
    norm: Norm | None = None


class Trace:
    """Collects steps; equal ones are one. Steps are numbered, every one after its inputs.

    Steps are equal where names and inputs are. So a name must stand for what a step computes, its
    weights included, and must not depend on the process.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = [Step((), _identity, b"input")]
        self._known: dict[tuple[str, tuple[int, ...]], int] = {}

    @property
    def input(self) -> int:
        """The examples."""
        return 0

    def apply(self, name: str, function: Callable[..., Tensor], *values: int) -> int:
        """Apply a function of each example on its own that changes none of its arguments.

        Args:
            name: Of the function.
            function: Takes as many tensors as there are values, [B, C, H, W] or [B, features].
            values: Numbers of steps.
        """
        return self._step(name, values, function)

    def normalise(self, name: str, norm: Norm, value: int) -> int:
        """Apply batch norm to [B, C, H, W]."""
        return self._step(name, (value,), _identity, norm=norm)

    def convolve(
        self,
        name: str,
        function: Callable[[Tensor, Tensor, Tensor | None], Tensor],
        weight: Tensor,
        norm: Norm,
        value: int,
    ) -> int:
        """Apply a convolution and batch norm.

        Args:
            name: Of the layer.
            function: Convolves [B, C, H, W]; it takes inputs, weight and bias.
            weight: [outputs, ...].
            norm: Of the outputs.
            value: Number of a step.
        """
        return self._step(name, (value,), function, weight, norm)

    def add(self, values: Sequence[int]) -> int:
        """Add tensors, in an order that does not depend on which other steps there are."""
        if len(values) == 1:
            return values[0]
        ordered = sorted(values, key=lambda value: self.steps[value].digest)
        return self._step("add", tuple(ordered), _total)

    def _step(
        self,
        name: str,
        inputs: tuple[int, ...],
        function: Callable[..., Tensor],
        weight: Tensor | None = None,
        norm: Norm | None = None,
    ) -> int:
        key = (name, inputs)
        if key not in self._known:
            digest = hashlib.blake2b(name.encode(), digest_size=16)
            for value in inputs:
                digest.update(self.steps[value].digest)
            self._known[key] = len(self.steps)
            self.steps.append(Step(inputs, function, digest.digest(), weight, norm))
        return self._known[key]


@runtime_checkable
class Traceable(Protocol):
    """A network that can write down what its paths compute."""

    def trace_paths(self, paths: Sequence[Path], steps: Trace) -> list[int]:
        """Write down the steps of paths; return those that give the logits of each."""


def _identity(x: Tensor) -> Tensor:
    return x


def _total(*terms: Tensor) -> Tensor:
    first, second, *others = terms
    return reduce(Tensor.add_, others, first + second)
