"""Runs what candidates compute: every step once, as far as memory allows."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor

from nas.evaluators.scoring.norms import (
    Affine,
    Chunk,
    Moments,
    affine_of,
    average,
    moments,
    rescale,
)
from nas.evaluators.scoring.trace import Step, Trace

__all__ = ["Execution"]


class Execution:
    """The steps that lead to some outputs.

    Args:
        trace: Holds the steps.
        outputs: Numbers of steps.
        memory: Bytes that tensors may take which are kept for later steps. What does not fit is
            computed again when it is needed; results are the same.
    """

    def __init__(self, trace: Trace, outputs: Sequence[int], memory: int) -> None:
        self.steps, self.memory = trace.steps, memory
        self.outputs = list(dict.fromkeys(outputs))
        self.everything = _leading_to(self.steps, self.outputs)
        norms = [at for at in self.everything if self.steps[at].norm is not None]
        self.before_norms = _leading_to(self.steps, norms)
        self.found: defaultdict[int, list[Moments]] = defaultdict(list)
        self._affine: dict[int, Affine] = {}

    def calibrate(self, chunk: Chunk) -> None:
        """Let every batch of a chunk count in the statistics of batch norm."""
        _Pass(self, chunk, self.before_norms, calibrating=True).run()

    def run(self, chunk: Chunk) -> dict[int, Tensor]:
        """Return the outputs, by number: with the statistics of each batch, or those calibrated."""
        run = _Pass(self, chunk, self.everything, kept=self.outputs)
        run.run()
        return {at: run.kept[at] for at in self.outputs}

    def widest(self, x: Tensor) -> int:
        """Return the most numbers that one example has in the tensor of any step.

        Args:
            x: Two examples.
        """
        chunk = Chunk(x, x, ((1, len(x)),))
        run = _Pass(self, chunk, self.everything, kept=self.everything)
        run.run()
        return max(tensor.numel() for tensor in run.kept.values()) // len(x)

    def affine(self, at: int) -> Affine:
        """Return batch norm with the calibrated statistics: averages over all batches."""
        if at not in self._affine:
            norm = self.steps[at].norm
            assert norm is not None
            self._affine[at] = affine_of(norm, *average(self.found[at]))
        return self._affine[at]


def _leading_to(steps: Sequence[Step], outputs: Sequence[int]) -> list[int]:
    """Return the steps that some steps need, and these, in order; the input is not among them."""
    needed = set(outputs)
    for at in range(len(steps) - 1, 0, -1):
        if at in needed:
            needed.update(steps[at].inputs)
    return sorted(needed - {0})


class _Pass:
    """One pass of a chunk through a program.

    Args:
        execution: Holds steps and statistics.
        chunk: The examples.
        program: Numbers of steps, in order.
        kept: Those whose tensors are wanted in the end.
        calibrating: Whether batches count in the statistics.
    """

    def __init__(
        self,
        execution: Execution,
        chunk: Chunk,
        program: Sequence[int],
        kept: Sequence[int] = (),
        calibrating: bool = False,
    ) -> None:
        self.execution, self.steps, self.program = execution, execution.steps, program
        self.chunk, self.calibrating = chunk, calibrating
        self.left = Counter(value for at in program for value in self.steps[at].inputs)
        self.left.update(kept)
        self.kept: OrderedDict[int, Tensor] = OrderedDict()
        self.free = execution.memory
        self.safe = {0, *kept}
        self.kept[0] = chunk.x

    def run(self) -> None:
        """Compute all steps."""
        for at in self.program:
            result = self._compute(at, [self._tensor(value) for value in self.steps[at].inputs])
            if self.left[at]:
                self._keep(at, result)
            for value in self.steps[at].inputs:
                self.left[value] -= 1
                if value and not self.left[value]:
                    self._drop(value)

    def _keep(self, at: int, tensor: Tensor) -> None:
        self.kept[at] = tensor
        self.free -= tensor.nbytes
        while self.free < 0:  # the one that has not been used for longest goes
            oldest = next((other for other in self.kept if other not in self.safe), at)
            if oldest == at:
                return
            self._drop(oldest)

    def _drop(self, at: int) -> None:
        tensor = self.kept.pop(at, None)
        if tensor is not None:
            self.free += tensor.nbytes

    def _tensor(self, at: int) -> Tensor:
        if at not in self.kept:
            return self._again(at)
        self.kept.move_to_end(at)
        return self.kept[at]

    def _again(self, at: int) -> Tensor:
        """Compute a step that was dropped, and what it needs."""
        made: dict[int, Tensor] = {}
        waiting = [at]
        while waiting:
            inputs = self.steps[waiting[-1]].inputs
            lacking = [value for value in inputs if value not in made and value not in self.kept]
            if lacking:
                waiting += lacking
                continue
            now = waiting.pop()
            if now not in made:
                tensors = [made[v] if v in made else self.kept[v] for v in inputs]
                made[now] = self._compute(now, tensors, again=True)
        self._keep(at, made[at])
        return made[at]

    def _compute(self, at: int, tensors: list[Tensor], again: bool = False) -> Tensor:
        step = self.steps[at]
        if step.norm is None:
            return step.function(*tensors)
        if self.chunk.division is None:
            return self._with_given(step, self.execution.affine(at), tensors[0])
        x = tensors[0] if step.weight is None else step.function(tensors[0], step.weight, None)
        return self._normalise(at, _last(x), again)

    def _normalise(self, at: int, x: Tensor, again: bool) -> Tensor:
        """Normalise every batch by its own statistics."""
        norm, division = self.steps[at].norm, self.chunk.division
        assert norm is not None and division is not None
        own = self.steps[at].weight is not None  # a new tensor, that may be written into
        parts = torch.split(x, [batches * size for batches, size in division])
        done = []
        for part, (batches, size) in zip(parts, division, strict=True):
            found = moments(part, batches, size)
            if self.calibrating and not again:
                self.execution.found[at].append(found)
            if again or self.left[at]:
                affine = affine_of(norm, found.mean, found.variance)
                done.append(rescale(part, affine, inplace=own))
        if own or not done:
            return x
        return done[0] if len(done) == 1 else torch.cat(done)

    @staticmethod
    def _with_given(step: Step, affine: Affine, x: Tensor) -> Tensor:
        if step.weight is None:
            return rescale(_last(x), affine, inplace=False)
        [scale], [shift] = affine
        weight = step.weight * scale.view(-1, *[1] * (step.weight.dim() - 1))
        return _last(step.function(x, weight, shift))


def _last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)
