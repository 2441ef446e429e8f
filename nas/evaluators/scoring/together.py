"""Scores paths of a network that can write down what they compute."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import torch

from nas.evaluators.scoring.data import Data
from nas.evaluators.scoring.execution import Execution
from nas.evaluators.scoring.norms import Chunk, chunks
from nas.evaluators.scoring.trace import Trace, Traceable
from nas.space import Path

if TYPE_CHECKING:
    from nas.mutables import Supernet

__all__ = ["score_together"]

_WORKING_SET = {"cpu": 2**20, "cuda": 2**24}
"""Numbers in the largest tensor of a chunk, by type of device: where calls cost little, and on a
CPU what is at hand stays in its cache. It must not hang on free memory: results would, too."""


@torch.inference_mode()
def score_together(
    supernet: Supernet, paths: Sequence[Path], data: Data, memory: int
) -> list[dict[str, float]]:
    """Measure different paths.

    Args:
        supernet: Of a network that is `Traceable`.
        paths: Each with a selection for every gate; at least one.
        data: What to score on.
        memory: Bytes for what is kept because later paths need it.

    Returns:
        The metrics of the task ("accuracy" in [0, 1], mean "loss", ...) of every path.
    """
    network = supernet.network
    assert isinstance(network, Traceable)
    order = sorted(range(len(paths)), key=lambda i: _sort_key(paths[i]))
    trace = Trace()
    outputs = network.trace_paths([paths[i] for i in order], trace)
    execution = Execution(trace, outputs, memory)
    scores = _scores(execution, data, _examples_at_once(supernet, network, data))
    by_path = dict(zip(order, outputs, strict=True))
    return [dict(scores[by_path[i]]) for i in range(len(paths))]


def _sort_key(path: Path) -> list[tuple[int, ...]]:
    """Let paths follow one another that differ late."""
    return [index if isinstance(index, tuple) else (index,) for index in path.values()]


def _examples_at_once(supernet: Supernet, network: Traceable, data: Data) -> int:
    """Return how many examples to run together, which must not hang on the paths, either."""
    gates = supernet.gates.items()
    path: Path = {g: tuple(range(gate.choose)) if gate.choose > 1 else 0 for g, gate in gates}
    trace = Trace()
    execution = Execution(trace, network.trace_paths([path], trace), 0)
    x = torch.zeros(2, *data.task.input_shape, device=data.task.device)
    numbers = _WORKING_SET.get(x.device.type, _WORKING_SET["cpu"])
    return max(1, numbers // execution.widest(x))


def _scores(execution: Execution, data: Data, most: int) -> dict[int, dict[str, float]]:
    """Return the scores by the step that gives the logits."""
    task = data.task
    scored: Iterable[Chunk]
    if data.recalibrates:
        for chunk in chunks(data.calibration(), most):
            execution.calibrate(chunk)
        scored = (Chunk(x, y, None) for x, y in data.pieces(most))
    else:
        scored = chunks(data.scored(), most)
    loss = dict.fromkeys(execution.outputs, 0.0)
    correct, count = dict.fromkeys(execution.outputs, 0), 0
    for chunk in scored:
        for at, logits in execution.run(chunk).items():
            loss[at] += task.loss(logits, chunk.y).item() * chunk.y.numel()
            correct[at] += task.correct(logits, chunk.y)
        count += chunk.y.numel()
    return {at: task.metrics(correct[at] / count, loss[at] / count) for at in loss}
