"""How much memory a search will take, told before it begins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch

from nas.costs import MemoryEstimate, MemoryWatch, estimate_peak
from nas.evaluators import Evaluator, SupernetEvaluator, extreme
from nas.mutables import Supernet, supernet_of
from nas.progress import Progress
from nas.run import Run
from nas.search.plan import Plan
from nas.space import Path as SupernetPath
from nas.strategies import Batch, DifferentiableStrategy, gate_gradients
from nas.task import Task
from nas.timeouts import time_limit
from nas.training import kept_tensors

__all__ = ["estimate_search", "held_tensors", "say_memory"]

_PATHS = 4  # tried for an estimate
_DRAWS = 3  # of gates that are sampled anew in every step, and not all of whose options run
_COPIES = {"second-order": 2}  # of the weights, kept by solvers during a step


def estimate_search(
    strategy: DifferentiableStrategy, task: Task, batch_size: int
) -> MemoryEstimate:
    """Estimate the peak memory of a search, leaving strategy and supernet as they are."""

    def weights(batch: Batch) -> object:
        _, loss = strategy.forward(batch, detach=True)
        return torch.autograd.grad(loss, strategy.weights, allow_unused=True)

    def gates(batch: Batch) -> object:
        with strategy.fixed_weights():
            _, loss = strategy.forward(batch)
            return gate_gradients(loss, strategy)

    settings = strategy.settings
    with torch.random.fork_rng():
        drawn = strategy.gate_weights(detach=True).values()
    hard = any(isinstance(row, torch.Tensor) and not row.all() for row in drawn)
    steps = [gates] + [weights] * (_DRAWS if hard else 1)
    kept = kept_tensors(settings.weight_optimizer, settings.momentum)
    kept += _COPIES.get(settings.solver, 0)
    return estimate_peak(
        strategy.supernet, steps, next(iter(task.batches("train", 4))), batch_size,
        kept=kept, passing=2,
    )  # fmt: skip


def held_tensors(strategy: DifferentiableStrategy) -> Iterator[torch.Tensor]:
    """Iterate over the large tensors that are there before the first step."""
    yield from strategy.supernet.parameters()
    yield from strategy.supernet.buffers()
    for state in strategy.weight_optimizer.state.values():
        yield from (value for value in state.values() if isinstance(value, torch.Tensor))


def say_memory(plan: Plan, run: Run, evaluator: Evaluator, progress: Progress) -> None:
    """Say what memory the training of a supernet will take, unless it has begun already."""
    begun = (run.folder / "checkpoint" / "supernet.pt").exists()
    if begun or not isinstance(evaluator, SupernetEvaluator):
        return
    settings, task = evaluator.settings, plan.task
    batch_size = min(settings.batch_size, task.size("train"))

    def estimate(changes: Mapping[str, Any]) -> MemoryEstimate:
        supernet = evaluator.supernet
        if changes:
            options = {**plan.supernet, **changes}
            supernet = supernet_of(plan.space, task.info, **options).to(task.device)
        sandwich = evaluator.training.schedule.paths == "sandwich"
        kept = kept_tensors(settings.optimizer, settings.momentum)
        return _estimate_paths(plan, supernet, batch_size, kept, sandwich)

    held = [*evaluator.supernet.parameters(), *evaluator.supernet.buffers()]
    watch = MemoryWatch(
        task.device, batch_size, "evaluator.batch_size", estimate, plan.supernet,
        sum(tensor.nbytes for tensor in held),
    )  # fmt: skip
    watch.announce(settings.epochs * task.size("train"), progress, run.log_once)


def _estimate_paths(
    plan: Plan, supernet: Supernet, batch_size: int, kept: int, largest: bool
) -> MemoryEstimate:
    """Estimate the peak memory of training a supernet by single paths, from some of them."""
    weights = [weight for weight in supernet.parameters() if weight.requires_grad]

    def step(path: SupernetPath, batch: Batch) -> object:
        x, target = batch
        with time_limit(plan.config["timeout"]):
            loss = plan.task.loss(supernet(x, path), target)
            return torch.autograd.grad(loss, weights, allow_unused=True)

    rng = np.random.default_rng(0)
    sampled = plan.space.sample(rng, _PATHS)
    if largest:
        sampled.append(extreme(plan.space, True, rng))
    steps = [partial(step, supernet.path(architecture)) for architecture in sampled]
    examples = next(iter(plan.task.batches("train", 4)))
    return estimate_peak(supernet, steps, examples, batch_size, kept=kept)
