"""Keep the options whose removal hurts most.

Source: Wang et al., Rethinking Architecture Selection in Differentiable NAS (DARTS-PT), ICLR 2021,
arXiv:2108.04392, sec. 4, algorithm 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from nas import registry
from nas.mutables import Selection
from nas.space import Scores
from nas.training import fill_gradients

if TYPE_CHECKING:
    from nas.strategies.differentiable.protocols import GateTraining
    from nas.strategies.differentiable.selections.selection import Data

__all__ = ["Perturbation"]

_TUNE_EPOCHS = 1


@registry.register(
    "strategies.differentiable.selections",
    "perturbation",
    "the operation, then the edge, whose removal costs most validation accuracy",
    "Wang et al., DARTS-PT, ICLR 2021, arXiv:2108.04392, algorithm 1",
)
class Perturbation:
    """Gates in random order: measure without each option, fix the one missed most, tune on.

    Afterwards every edge that could be absent is measured the same way, so that the strength of
    an edge is what its absence costs. Between two gates the weights are tuned for one epoch.
    """

    def scores(self, strategy: GateTraining, data: Data) -> Scores:
        weights = _mixture(strategy)
        choices = [name for name, w in weights.items() if _is_open(strategy, name, w)]
        order = [choices[i] for i in torch.randperm(len(choices)).tolist()]
        with data.progress.bar("perturbation", total=2 * len(order)) as bar:
            for step, name in enumerate(order):
                weights[name] = _keep_most_missed(strategy, data, weights, name)
                _tune(strategy, data, weights, step)
                bar.advance()
            strength = {}
            for name in order:
                strength[name] = _cost_of_absence(strategy, data, weights, name)
                bar.advance()
        scores = strategy.scores()
        return {
            n: _final(weights[n], strength[n]) if n in strength else s for n, s in scores.items()
        }


def _mixture(strategy: GateTraining) -> dict[str, Tensor]:
    """Return what the gates converged to, [options] each."""
    device = next(strategy.supernet.parameters()).device
    scores = strategy.scores()
    return {name: torch.tensor(s, dtype=torch.float32, device=device) for name, s in scores.items()}


def _is_open(strategy: GateTraining, name: str, weights: Tensor) -> bool:
    return strategy.supernet.gates[name].choose == 1 and len(weights) > 1


def _without(weights: Tensor, option: int) -> Tensor:
    """Remove an option and share its weight among the others, equally where it had it all."""
    rest = weights.clone()
    rest[option] = 0.0
    if not rest.any():
        rest = torch.ones_like(weights)
        rest[option] = 0.0
    return rest / rest.sum()


def _one_hot(weights: Tensor, option: int) -> Tensor:
    hot = torch.zeros_like(weights)
    hot[option] = 1.0
    return hot


def _keep_most_missed(
    strategy: GateTraining, data: Data, weights: dict[str, Tensor], name: str
) -> Tensor:
    absent = strategy.supernet.gates[name].absent
    kept = [i for i in range(len(weights[name])) if i != absent]
    accuracy = {
        i: _accuracy(strategy, data, weights | {name: _without(weights[name], i)}) for i in kept
    }
    return _one_hot(weights[name], min(kept, key=accuracy.__getitem__))


def _cost_of_absence(
    strategy: GateTraining, data: Data, weights: dict[str, Tensor], name: str
) -> float:
    """Return by how much the accuracy falls without an edge; 0 for a gate that must be there."""
    absent = strategy.supernet.gates[name].absent
    if absent is None:
        return 0.0
    without = weights | {name: _one_hot(weights[name], absent)}
    return _accuracy(strategy, data, weights) - _accuracy(strategy, data, without)


def _final(weights: Tensor, strength: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return scores of one gate: positive for what was kept, and ranked by its strength."""
    return weights.double().cpu().numpy() * float(np.exp(strength))


@torch.no_grad()
def _accuracy(strategy: GateTraining, data: Data, weights: dict[str, Tensor]) -> float:
    """Measure a mixture on the gates' half with the statistics of each batch."""
    correct = count = 0
    selections: dict[str, Selection] = dict(weights)
    strategy.supernet.train()
    for x, target in data.valid_batches():
        correct += strategy.problem.correct(strategy.supernet(x, selections), target)
        count += target.numel()
    return correct / count


def _tune(strategy: GateTraining, data: Data, weights: dict[str, Tensor], step: int) -> None:
    """Train the weights for one epoch of the mixture as it is now."""
    selections: dict[str, Selection] = dict(weights)
    for epoch in range(_TUNE_EPOCHS):
        for x, target in data.train_batches(strategy.settings.epochs + step * _TUNE_EPOCHS + epoch):
            loss = strategy.problem.loss(strategy.supernet(x, selections), target)
            strategy.weight_optimizer.zero_grad()
            torch.autograd.backward(loss)
            fill_gradients(strategy.weights)
            torch.nn.utils.clip_grad_norm_(
                strategy.supernet.parameters(), strategy.settings.grad_clip
            )
            strategy.weight_optimizer.step()
