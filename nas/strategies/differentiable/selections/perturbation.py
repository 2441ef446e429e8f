"""Keep the options whose removal hurts most.

Source: Wang et al., Rethinking Architecture Selection in Differentiable NAS (DARTS-PT), ICLR 2021,
arXiv:2108.04392, sec. 4, algorithm 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from nas import registry
from nas.mutables import Selection, Supernet
from nas.space import Scores
from nas.strategies.differentiable.selections.removal import Removable, Weights, removables
from nas.strategies.differentiable.selections.tuning import Tuning
from nas.training import as_float, autocast

if TYPE_CHECKING:
    from nas.progress import Bar
    from nas.strategies.differentiable.protocols import GateTraining
    from nas.strategies.differentiable.selections.selection import Data

__all__ = ["Perturbation"]

Quality = tuple[float, float]
"""Accuracy, and the loss negated, which decides where accuracies are equal."""

Measure = Callable[[Removable, Sequence[int]], Quality]
"""How good the supernet is without some candidates."""


@registry.register(
    "strategies.differentiable.selections",
    "perturbation",
    "the operation, then the edge, whose removal costs most validation accuracy",
    "Wang et al., DARTS-PT, ICLR 2021, arXiv:2108.04392, algorithm 1",
)
class Perturbation:
    """Operations first, then the inputs of nodes, each in random order; tuning after each.

    Of the options of a gate the one missed most stays. Of inputs (and of a k-of-n gate) the one
    missed least goes, and the rest are measured again without it, until as many are left as an
    architecture keeps: of two that bear the same signal one stays. (The authors' code puts a
    removed input back while it measures the rest, so that both could go.)

    A gate may choose to be absent unless the absence of its edge is decided among the inputs of a
    node (`Gate.node`). The supernet is left with the weights that it was tuned to.
    """

    def scores(self, strategy: GateTraining, data: Data) -> Scores:
        strategy.decided.clear()
        operations, inputs = removables(strategy.supernet.gates)
        order = [*_shuffled(operations), *_shuffled(inputs)]
        tuning = Tuning(strategy, data, len(order))
        scores = dict(strategy.scores())
        passes = sum(place.passes for place in order) + tuning.total
        with data.progress.bar("perturbation", total=passes) as bar:
            for place in order:
                found = _ranking(place, _measure(strategy, data, bar))
                kept = found[: place.keep]
                strategy.decided.update(place.decided(_weights(strategy), kept))
                place.rank(scores, found)
                tuning.run(bar)
        return scores


def _shuffled(places: Sequence[Removable]) -> list[Removable]:
    return [places[i] for i in torch.randperm(len(places)).tolist()]


def _ranking(place: Removable, measure: Measure) -> list[int]:
    """Return all candidates, what is missed most first."""
    if not place.one_by_one:
        quality = {i: measure(place, [i]) for i in place.candidates}
        return sorted(place.candidates, key=quality.__getitem__)
    left, gone = list(place.candidates), list[int]()
    while len(left) > place.keep:
        quality = {i: measure(place, [*gone, i]) for i in left}
        least = max(left, key=quality.__getitem__)
        left.remove(least)
        gone.append(least)
    return left + gone[::-1]


def _weights(strategy: GateTraining) -> Weights:
    """Return what the gates have converged to, or what was decided."""
    like = next(iter(strategy.logits.values()))
    trained = {n: torch.from_numpy(s).to(like) for n, s in strategy.scores().items()}
    return trained | strategy.decided


def _measure(strategy: GateTraining, data: Data, bar: Bar) -> Measure:
    weights = _weights(strategy)

    def measure(place: Removable, removed: Sequence[int]) -> Quality:
        quality = _quality(strategy, data, place.without(weights, removed))
        bar.advance()
        return quality

    return measure


@torch.no_grad()
def _quality(strategy: GateTraining, data: Data, weights: Weights) -> Quality:
    """Measure a mixture on the gates' half with the statistics of each batch."""
    correct, loss, count = 0, 0.0, 0
    selections: dict[str, Selection] = dict(weights)
    _normalise_by_batch(strategy.supernet)
    for x, target in data.valid_batches():
        with autocast(strategy.settings.precision, x.device):
            output = as_float(strategy.supernet(x, selections))
        correct += strategy.problem.correct(output, target)
        loss += strategy.problem.loss(output, target).item() * target.numel()
        count += target.numel()
    return correct / count, -loss / count if math.isfinite(loss) else -math.inf


def _normalise_by_batch(supernet: Supernet) -> None:
    """Leave out dropout, whose noise would drown what one option costs."""
    supernet.eval()
    for module in supernet.modules():
        if isinstance(module, _BatchNorm):
            module.train()
