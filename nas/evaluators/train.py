"""Every candidate is trained from scratch and judged on the validation split."""

from __future__ import annotations

from typing import Any

from torch import nn

from nas import registry
from nas.checkpoint import seed_of
from nas.errors import NasError
from nas.evaluators.evaluator import Context, Evaluator
from nas.fit import TrainSettings, fit
from nas.space import Architecture

__all__ = ["TrainEvaluator"]


@registry.register(
    "evaluators", "train", "every candidate trained from scratch, scored on the validation split"
)
class TrainEvaluator(Evaluator):
    """Train on the weights' half of the data for a number of epochs; score on the other half."""

    Settings = TrainSettings
    metrics = ("accuracy", "loss")
    settings: TrainSettings

    def __init__(self, context: Context, settings: TrainSettings | None = None) -> None:
        super().__init__(context, settings or TrainSettings())
        self._last: tuple[Architecture, nn.Module] | None = None

    @classmethod
    def defaults(cls, scale: str) -> dict[str, Any]:
        """Return few epochs: enough to rank candidates, as NAS-Bench-201's 12-epoch results."""
        return {"epochs": 12 if scale == "paper" else 10, "drop_path": 0.0, "cutout": 0}

    def evaluate(self, architecture: Architecture) -> dict[str, float]:
        context = self.context
        network = context.space.build(architecture, context.task.info, **context.network)
        network.to(context.task.device)
        seed = seed_of(context.seed, "train", architecture.choices)
        result = fit(
            network, context.task, self.settings, split="train", evaluate_on="valid", seed=seed
        )
        self._last = (architecture, network)
        return {name: result.metrics[name] for name in ("accuracy", "loss")}

    def weights_of(self, architecture: Architecture) -> nn.Module:
        if self._last is None or self._last[0] != architecture:
            [again] = self([architecture])
            if not again.ok:
                raise NasError(f"the best architecture could not be trained again: {again.error}")
        assert self._last is not None
        return self._last[1]
