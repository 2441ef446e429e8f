"""Every candidate is trained from scratch and judged on the validation split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from torch import nn

from nas import registry
from nas.errors import NasError
from nas.evaluators.evaluator import Context, Evaluator
from nas.evaluators.halving import Rungs
from nas.objective import Goal, Measurement
from nas.settings import require_ranges, setting
from nas.space import Architecture
from nas.storage import seed_of
from nas.training import Stop, TrainSettings, fit, kind_recipe

__all__ = ["CandidateSettings", "TrainEvaluator"]


@dataclass
class CandidateSettings(TrainSettings):
    """How a candidate is trained, and whether bad ones are stopped early."""

    halving_eta: int = setting(0, "successive halving: one in how many goes on; 0: none is stopped")
    halving_epochs: int = setting(1, "epochs to the first comparison; later ones at this * eta^k")

    group: ClassVar[str] = "evaluator"

    def __post_init__(self) -> None:
        super().__post_init__()
        ranges: dict[str, tuple[bool, str]] = {
            "halving_eta": (self.halving_eta == 0 or self.halving_eta >= 2, "0, or at least 2"),
            "halving_epochs": (self.halving_epochs >= 1, "at least 1"),
        }
        require_ranges(self, self.group, ranges)


@registry.register(
    "evaluators", "train", "every candidate trained from scratch, scored on the validation split"
)
class TrainEvaluator(Evaluator):
    """Train on the weights' half of the data for a number of epochs; score on the other half.

    With `halving_eta` above 0, training is cut short by successive halving over epochs (see
    `halving.Rungs`): a candidate goes on past a rung only while what is searched, such as its
    accuracy, is there among the best 1/eta of those observed. Its metrics then have "epochs", the
    number that it was trained for, and "accuracy@N", what it had at each rung that it reached.
    """

    Settings = CandidateSettings
    metrics: tuple[str, ...] = ("accuracy", "loss")
    runs_networks = True
    settings: CandidateSettings

    def __init__(self, context: Context, settings: TrainSettings | None = None) -> None:
        if not isinstance(settings, CandidateSettings):
            settings = CandidateSettings(**(asdict(settings) if settings else {}))
        super().__init__(context, settings)
        self._last: tuple[Architecture, nn.Module] | None = None
        self._rungs: Rungs | None = None
        if settings.halving_eta:
            self._rungs = Rungs(settings.halving_eta, settings.halving_epochs, settings.epochs)
        self._epochs: dict[Architecture, int] = {}  # that an observed one was trained for
        self._goal = self._compared_by()

    @classmethod
    def defaults(cls, scale: str, kind: str = "examples") -> dict[str, Any]:
        """Return few epochs: enough to rank candidates, as NAS-Bench-201's 12-epoch results."""
        few = {"epochs": 12 if scale == "paper" else 10, "drop_path": 0.0, "cutout": 0}
        return kind_recipe(kind, scale) | few

    def _compared_by(self) -> Goal:
        """Return what candidates are compared by while they train: what is searched, if it can."""
        objective = self.context.objective
        searched = objective.goals[0] if objective else Goal("accuracy")
        return searched if searched.metric in self.metrics else Goal("accuracy")

    def evaluate(self, architecture: Architecture) -> dict[str, float]:
        if self._rungs is None:
            return self._trained(architecture, None)
        reached: dict[int, float] = {}
        metrics = self._trained(architecture, self._stop(self._rungs, reached))
        return metrics | {f"{self._goal.metric}@{epoch}": value for epoch, value in reached.items()}

    def _stop(self, rungs: Rungs, reached: dict[int, float]) -> Stop:
        """Return the rule that ends a training; what it sees at rungs goes to `reached`."""

        def stop(epoch: int, judge: Callable[[], dict[str, float]]) -> bool:
            if epoch not in rungs.results:
                return False
            reached[epoch] = judge()[self._goal.metric]
            return not rungs.goes_on(epoch, self._goal.sign * reached[epoch])

        return stop

    def _network(self, architecture: Architecture) -> nn.Module:
        """Return a network to be trained."""
        context = self.context
        return context.space.build(architecture, context.task.info, **context.network)

    def _trained(self, architecture: Architecture, stop: Stop | None) -> dict[str, float]:
        context = self.context
        network = self._network(architecture).to(context.task.device)
        seed = seed_of(context.seed, "train", architecture.choices)
        result = fit(
            network, context.task, self.settings, split="train", evaluate_on="valid", seed=seed,
            stop=stop,
        )  # fmt: skip
        self._last = (architecture, network)
        metrics = {name: value for name, value in result.metrics.items() if name in self.metrics}
        return metrics if stop is None else metrics | {"epochs": float(len(result.history))}

    # -- what was observed --------------------------------------------------------------------

    def observe(self, architecture: Architecture, measurement: Measurement) -> None:
        if self._rungs is None or not measurement.ok:
            return
        self._epochs[architecture] = int(measurement.metrics["epochs"])
        goal = self._goal
        for epoch in self._rungs.results:
            if f"{goal.metric}@{epoch}" in measurement.metrics:
                self._rungs.add(epoch, goal.sign * measurement.metrics[f"{goal.metric}@{epoch}"])

    def state_dict(self) -> dict[str, Any]:
        if self._rungs is None:
            return {}
        epochs = [(list(a.choices), epochs) for a, epochs in self._epochs.items()]
        return {"rungs": self._rungs.state_dict(), "epochs": epochs, "goal": self._goal.text}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self._rungs is None:
            return
        self._rungs.load_state_dict(state["rungs"])
        self._goal = Goal(state.get("goal", "accuracy"))  # which it was once whatever was searched
        name = self.context.space.name
        self._epochs = {Architecture(name, tuple(c)): epochs for c, epochs in state["epochs"]}

    def weights_of(self, architecture: Architecture) -> nn.Module:
        if self._last is None or self._last[0] != architecture:
            self._train_again(architecture)
        assert self._last is not None
        return self._last[1]

    def _train_again(self, architecture: Architecture) -> None:
        """Train for as many epochs as the architecture was judged after."""
        judged = self._epochs.get(architecture)
        if judged is not None:
            self.seed(architecture)
            self._trained(architecture, lambda epoch, judge: epoch == judged)
            return
        [again] = self([architecture])
        if not again.ok:
            raise NasError(f"the best architecture could not be trained again: {again.error}")
