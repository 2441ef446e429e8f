"""A strategy that trains the gates of a supernet by gradients, composed of parts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from nas import registry
from nas.errors import NasError
from nas.mutables import Gate, Selection
from nas.space import Scores
from nas.strategies.differentiable.protocols import Batch, Problem
from nas.strategies.differentiable.schedules import cosine
from nas.strategies.differentiable.settings import DifferentiableSettings
from nas.training import as_float, autocast, make_optimizer

if TYPE_CHECKING:
    from nas.mutables import Supernet
    from nas.strategies.differentiable.regularisers.regulariser import Regulariser
    from nas.strategies.differentiable.relaxations.relaxation import Relaxation
    from nas.strategies.differentiable.selections.selection import Data
    from nas.strategies.differentiable.solvers.solver import Solver

__all__ = ["DifferentiableStrategy"]

_PARTS = "strategies.differentiable"
_INITIAL_SPREAD = 1e-3
_GATE_BETAS = (0.5, 0.999)


class DifferentiableStrategy:
    """Owns the gate logits and both optimisers.

    relaxation (logits -> weights), solver (the two-level problem), regularisers (of the gates) and
    selection (trained gates -> scores) are parts by name; see `registry.KINDS`.

    Args:
        settings: The composition and its numbers.
        supernet: Whose weights and gates are trained.
        problem: Loss and metric.
        steps_per_epoch: How many steps an epoch will have; only `gate_travel` needs it.
    """

    def __init__(
        self,
        settings: DifferentiableSettings,
        supernet: Supernet,
        problem: Problem,
        steps_per_epoch: int = 1,
    ) -> None:
        self.settings = settings
        self.supernet = supernet
        self.problem = problem
        self.relaxation: Relaxation = _part("relaxations", settings.relaxation)
        self.solver: Solver = _part("solvers", settings.solver)
        self.regularisers: list[Regulariser] = [
            _part("regularisers", name) for name in settings.regularisers
        ]
        self.epoch = 0
        if not any(True for _ in supernet.parameters()):
            raise NasError("the supernet has no weights to train")
        device = next(supernet.parameters()).device
        self.logits = {
            name: nn.Parameter(_INITIAL_SPREAD * torch.randn(len(gate.options), device=device))
            for name, gate in supernet.gates.items()
        }
        alike: dict[tuple[bool, int], list[str]] = {}
        for name, gate in supernet.gates.items():
            alike.setdefault((_is_choice(gate), len(gate.options)), []).append(name)
        self._alike = list(alike.values())  # gates that are relaxed together
        self.decided: dict[str, Tensor] = {}
        self.weights = [w for w in supernet.parameters() if w.requires_grad]
        self._fused = device.type in ("cpu", "cuda")
        self.weight_optimizer = self.fresh_weight_optimizer(settings.weight_lr)
        self.gate_optimizer = torch.optim.Adam(
            self.logits.values(),
            self._gate_lr(steps_per_epoch),
            betas=_GATE_BETAS,
            weight_decay=settings.gate_weight_decay,
            fused=self._fused,
        )

    def fresh_weight_optimizer(self, learning_rate: float) -> torch.optim.Optimizer:
        """Return an optimiser of the weights as the search's own, which has seen no step."""
        s = self.settings
        numbers = (learning_rate, s.momentum, s.weight_decay)
        optimizer = make_optimizer(s.weight_optimizer, self.weights, *numbers, self._fused)
        if s.weight_optimizer == "sgd" and s.momentum:
            for weight in self.weights:  # the fused kernel cannot start some later than others
                optimizer.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
        return optimizer

    def _gate_lr(self, steps_per_epoch: int) -> float:
        """Return the learning rate of the gates, from how far they shall be able to go."""
        s = self.settings
        if s.gate_lr is not None:
            return s.gate_lr
        return s.gate_travel / max(1, (s.epochs - s.frozen_epochs) * steps_per_epoch)

    # -- one step -----------------------------------------------------------------------------

    def begin_epoch(self, epoch: int) -> None:
        """Set the schedules (of the weights' learning rate a cosine); epochs count from 0."""
        self.epoch = epoch
        s = self.settings
        for group in self.weight_optimizer.param_groups:
            group["lr"] = cosine(epoch, s.epochs, s.weight_lr, s.weight_lr_min)

    @property
    def weight_lr(self) -> float:
        """The learning rate of the weights as it is now."""
        return float(self.weight_optimizer.param_groups[0]["lr"])

    @property
    def temperature(self) -> float:
        """The temperature of the relaxation in this epoch (linear)."""
        start, end = self.settings.temperature_start, self.settings.temperature_end
        return start + (end - start) * self.epoch / max(1, self.settings.epochs - 1)

    @property
    def gates_frozen(self) -> bool:
        """Whether this epoch trains weights only."""
        return self.epoch < self.settings.frozen_epochs

    def step(self, train_batch: Batch, valid_batch: Batch) -> dict[str, float]:
        """Train gates and weights by one step each.

        Returns:
            Loss and number of right predictions on both batches, before their step.
        """
        self.supernet.train()
        if self.gates_frozen:
            return self.weight_step(train_batch)
        return self.solver.step(self, train_batch, valid_batch)

    def gate_weights(self, detach: bool = False) -> dict[str, Selection]:
        """Return weights for all gates, freshly drawn where the relaxation draws.

        Those of `decided` gates are what a selection has fixed, whatever the logits say.
        """
        weights: dict[str, Selection] = {}
        for names in self._alike:
            logits = torch.stack([self.logits[name] for name in names])
            rows = self._relax(self.supernet.gates[names[0]], logits.detach() if detach else logits)
            weights.update(zip(names, rows.unbind(), strict=True))
        weights.update(self.decided)
        return weights

    def _relax(self, gate: Gate, logits: Tensor) -> Tensor:
        """Relax choices; weights over the inputs of a node are softmax (PC-DARTS, eq. 3)."""
        if _is_choice(gate):
            return self.relaxation.weights(logits, self.temperature)
        return logits.softmax(-1)

    def forward(self, batch: Batch, detach: bool = False) -> tuple[Any, Tensor]:
        """Run the supernet with freshly made weights over its gates.

        Args:
            batch: Inputs and targets.
            detach: Whether the gates are held fixed.

        Returns:
            The supernet's output and its loss.
        """
        x, target = batch
        with autocast(self.settings.precision, x.device):
            output = as_float(self.supernet(x, self.gate_weights(detach)))
        return output, self.problem.loss(output, target)

    @contextmanager
    def fixed_weights(self) -> Iterator[None]:
        """Let forward passes record what gradients of the gates need, and nothing for weights."""
        for weight in self.weights:
            weight.requires_grad_(False)
        try:
            yield
        finally:
            for weight in self.weights:
                weight.requires_grad_(True)

    def gate_loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a batch plus the regularisers, with a graph to the gates."""
        output, loss = self.forward(batch)
        figures = self._figures("valid", loss, output, batch[1])
        for regulariser in self.regularisers:
            loss = loss + self.settings.regulariser_scale * regulariser.penalty(self.logits)
        return loss, figures

    def apply_gate_gradients(self, gradients: Iterable[Tensor | None]) -> None:
        """Take one step of the gates' optimiser; a gate that did not run has gradient None."""
        for parameter, gradient in zip(self.logits.values(), gradients, strict=True):
            parameter.grad = gradient
        self.gate_optimizer.step()
        self.gate_optimizer.zero_grad()

    def weight_step(self, batch: Batch) -> dict[str, float]:
        """Take one step of the weights with the gates held fixed."""
        output, loss = self.forward(batch, detach=True)
        gradients = torch.autograd.grad(  # 0 for what does not run: see `fill_gradients`
            loss, self.weights, allow_unused=True, materialize_grads=True
        )
        scaled = clipped(list(gradients), self.settings.grad_clip)
        for weight, gradient in zip(self.weights, scaled, strict=True):
            weight.grad = _laid_out(gradient, weight)
        self.weight_optimizer.step()
        return self._figures("train", loss, output, batch[1])

    def _figures(self, split: str, loss: Tensor, output: Any, target: Tensor) -> dict[str, float]:
        value = loss.item()
        if not math.isfinite(value):
            raise NasError(
                f"the {split} loss became {value} in epoch {self.epoch + 1}; lower "
                f"weight_lr (now {self.settings.weight_lr:g}) or grad_clip "
                f"(now {self.settings.grad_clip:g})"
            )
        correct = self.problem.correct(output, target)
        return {
            f"{split}_loss": value * target.numel(),
            f"{split}_correct": float(correct),
            f"{split}_count": float(target.numel()),
        }

    # -- result and state ---------------------------------------------------------------------

    def scores(self) -> Scores:
        """Return how strong every option of every gate is by the logits alone, [options] each."""
        return {name: self._scores(self.supernet.gates[name], a) for name, a in self.logits.items()}

    def _scores(self, gate: Gate, logits: Tensor) -> np.ndarray[Any, np.dtype[np.float64]]:
        with torch.no_grad():
            scores = self.relaxation.scores(logits) if _is_choice(gate) else logits.softmax(-1)
        return scores.double().cpu().numpy()

    def select(self, data: Data) -> Scores:
        """Return the scores that the final architecture is derived from."""
        scores: Scores = _part("selections", self.settings.selection).scores(self, data)
        return scores

    def state_dict(self) -> dict[str, Any]:
        """Return logits and optimiser states; the supernet's weights are saved beside it."""
        return {
            "logits": {name: a.detach().clone() for name, a in self.logits.items()},
            "weight_optimizer": self.weight_optimizer.state_dict(),
            "gate_optimizer": self.gate_optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        with torch.no_grad():
            for name, parameter in self.logits.items():
                parameter.copy_(state["logits"][name])
        self.weight_optimizer.load_state_dict(state["weight_optimizer"])
        self.gate_optimizer.load_state_dict(state["gate_optimizer"])


def _laid_out(gradient: Tensor, weight: Tensor) -> Tensor:
    """Bring a gradient into its weight's memory format, which fused optimisers take for granted."""
    if gradient.stride() == weight.stride():
        return gradient
    if weight.is_contiguous():
        return gradient if gradient.is_contiguous() else gradient.contiguous()
    return torch.empty_like(weight).copy_(gradient)


@torch.no_grad()
def clipped(gradients: list[Tensor], largest: float) -> list[Tensor]:
    """Return gradients scaled down, all by one factor, so that their norm is at most `largest`.

    As `clip_grad_norm_`, without a call or a wait for each of them.
    """
    norm = torch.stack(list(torch._foreach_norm(gradients))).norm()
    return list(torch._foreach_mul(gradients, (largest / (norm + 1e-6)).clamp_max(1.0)))


def _is_choice(gate: Gate) -> bool:
    """Tell a choice of one option from weights over the inputs of a node."""
    return gate.choose == 1 and len(gate.options) > 1


def _part(kind: str, name: str) -> Any:
    return registry.get(f"{_PARTS}.{kind}", name).factory()
