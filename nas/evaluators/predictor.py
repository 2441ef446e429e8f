"""Some candidates are measured by another evaluator, the others are predicted from these.

Sources: the loop of measuring, fitting and searching on predictions: Cummings et al. (LINAS,
DyNAS-T), arXiv:2205.10358, sec. 3; White et al., How Powerful are Performance Predictors in NAS?,
NeurIPS 2021, arXiv:2104.01177.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas import registry
from nas.errors import NasError, unknown
from nas.evaluators.evaluator import COSTS, Context, Evaluator
from nas.objective import Measurement, Objective
from nas.predictors import PREDICTORS, Predictor, make_predictor
from nas.settings import fill, require_ranges, setting
from nas.space import Architecture

__all__ = ["PredictorEvaluator", "PredictorSettings"]

MEASURED = "measured"
"""The metric that tells a measurement (1) from a prediction (0)."""


@dataclass
class PredictorSettings:
    """Which predictor, what measures, and when."""

    predictor: str = setting("trees", f"one of {', '.join(sorted(PREDICTORS))}")
    measured_by: str = setting("train", "the evaluator that measures; see: nas evaluators")
    measure: dict[str, Any] = setting({}, "settings of that evaluator")  # noqa: RUF009
    objective: str = setting(
        "", "metrics to predict, - to minimise: accuracy,-loss; empty: that evaluator's own"
    )
    initial: int = setting(20, "candidates that are measured before any is predicted (at least 2)")
    measure_every: int = setting(10, "one in how many later ones is measured anyway; 0: none")
    optimism: float = setting(0.0, "standard deviations in favour of measuring a candidate")

    def __post_init__(self) -> None:
        if self.predictor not in PREDICTORS:
            raise unknown("evaluator.predictor", self.predictor, PREDICTORS)
        if self.measured_by == "predictor":
            raise NasError("evaluator.measured_by=predictor: expected an evaluator that measures")
        registry.get("evaluators", self.measured_by)
        ranges: dict[str, tuple[bool, str]] = {
            "initial": (self.initial >= 2, "at least 2"),
            "measure_every": (self.measure_every >= 0, "at least 0"),
            "optimism": (self.optimism >= 0, "at least 0"),
        }
        require_ranges(self, "evaluator", ranges)


@registry.register(
    "evaluators",
    "predictor",
    "predicted from what another evaluator has measured, such as predictor:wl-gp",
    "Cummings et al., A Hardware-Aware Framework for Accelerating NAS Across Modalities (LINAS), "
    "arXiv:2205.10358",
)
class PredictorEvaluator(Evaluator):
    """Measure at first; later predict, but measure what is predicted to be better than the best.

    A candidate is measured by the evaluator `measured_by` while fewer than `initial` were measured
    with success, when it is its turn (`measure_every`), and when its prediction is better than all
    measured: with several metrics, when no measured one is at least as good in each. So the best of
    a search is always measured. Otherwise it gets the predictions, and "measured" 0. Costs that a
    measurement shall have besides (`Context.costs`) are never predicted.

    The predictors, one a metric, are fitted anew when there is a new measurement. They follow from
    what was observed alone. What was measured once is not measured again where the other
    evaluator's answers are constant.
    """

    Settings = PredictorSettings
    argument = "predictor"
    settings: PredictorSettings

    def __init__(self, context: Context, settings: PredictorSettings | None = None) -> None:
        super().__init__(context, settings or PredictorSettings())
        s = self.settings
        kind: Any = registry.get("evaluators", s.measured_by).factory
        self.base: Evaluator = kind(context, _base_settings(kind, s.measure, context))
        self.objective = Objective(s.objective or self.base.default_objective)
        for goal in self.objective.goals:
            if self.base.metrics and goal.metric not in (*self.base.metrics, *context.costs):
                raise unknown("metric of evaluator.objective", goal.metric, self.base.metrics)
        self.metrics = (*self.base.metrics, MEASURED) if self.base.metrics else ()
        self.cost_metrics = self.base.cost_metrics
        self._observed = 0
        self._known: dict[Architecture, dict[str, float]] = {}  # measured
        self._fitted: dict[str, Predictor] = {}  # metric -> predictor, once it is needed

    @classmethod
    def objective_for(cls, settings: PredictorSettings) -> str:
        measuring: Any = registry.get("evaluators", settings.measured_by).factory
        usual: str = measuring.objective_for(fill(measuring.Settings, settings.measure, "measure"))
        return settings.objective or usual

    @classmethod
    def with_objective(cls, settings: PredictorSettings, objective: Objective) -> PredictorSettings:
        """Predict what is searched for, and what limits name, unless told what to predict."""
        if settings.objective:
            return settings
        goals = [goal.text for goal in objective.goals]
        named = {goal.metric for goal in objective.goals} | {*COSTS}
        more = [limit.metric for limit in objective.limits if limit.metric not in named]
        return replace(settings, objective=",".join([*goals, *dict.fromkeys(more)]))

    @property
    def constant(self) -> bool:
        return False  # a prediction changes with what is measured

    # -- what is the other evaluator's --------------------------------------------------------

    def prepare(self) -> None:
        self.base.prepare()

    def costs(
        self, architectures: Sequence[Architecture], names: Sequence[str] | None = None
    ) -> list[dict[str, float]]:
        return self.base.costs(architectures, names)

    def weights_of(self, architecture: Architecture) -> Any:
        """Return what was measured; None too where a supernet measures, whose widths are others."""
        return None if self.base.shares_weights else self.base.weights_of(architecture)

    # -- learning -----------------------------------------------------------------------------

    def observe(self, architecture: Architecture, measurement: Measurement) -> None:
        """Learn from a measurement; count a prediction."""
        self._observed += 1
        metrics = dict(measurement.metrics)
        if measurement.ok and not metrics.pop(MEASURED, 1.0):
            return
        if architecture in self._known and self.base.constant:
            return
        if measurement.ok:
            self._known[architecture] = metrics
            self._fitted = {}
        own = Measurement(metrics, measurement.seconds, measurement.error)
        self.base.observe(architecture, own)

    def state_dict(self) -> dict[str, Any]:
        known = [
            (list(architecture.choices), metrics) for architecture, metrics in self._known.items()
        ]
        return {"observed": self._observed, "known": known, "base": self.base.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._observed = int(state["observed"])
        name = self.context.space.name
        self._known = {
            Architecture(name, tuple(choices)): dict(metrics) for choices, metrics in state["known"]
        }
        self._fitted = {}
        self.base.load_state_dict(state["base"])

    def _predictors(self) -> dict[str, Predictor]:
        """Return metric -> predictor, fitted to all that is known."""
        if not self._fitted:
            for name in self._predicted:
                made = make_predictor(
                    self.settings.predictor, self.context.space, self.context.seed
                )
                values = [metrics[name] for metrics in self._known.values()]
                self._fitted[name] = made.fit(list(self._known), values)
        return self._fitted

    @property
    def _predicted(self) -> list[str]:
        """The metrics that are predicted: those of the objective but for costs."""
        return [g.metric for g in self.objective.goals if g.metric not in self.context.costs]

    # -- judging ------------------------------------------------------------------------------

    def __call__(self, architectures: Sequence[Architecture]) -> list[Measurement]:
        return [self._judge(architecture) for architecture in architectures]

    def _judge(self, architecture: Architecture) -> Measurement:
        if self._is_its_turn():
            return self._measure(architecture)
        [prediction] = super().__call__([architecture])
        complete = prediction.ok and self.objective.measures(prediction)
        if complete and self._beats_all(architecture, prediction):
            return self._measure(architecture)
        return prediction

    def evaluate(self, architecture: Architecture) -> dict[str, float]:
        """Return predictions; `__call__` decides who is measured instead."""
        found = {name: p.predict([architecture])[0] for name, p in self._predictors().items()}
        return {name: float(mean[0]) for name, mean in found.items()} | {MEASURED: 0.0}

    def _measure(self, architecture: Architecture) -> Measurement:
        if architecture in self._known and self.base.constant:
            return Measurement({**self._known[architecture], MEASURED: 1.0})
        [measurement] = self.base([architecture])
        if not measurement.ok:
            return measurement
        metrics = {**measurement.metrics, MEASURED: 1.0}
        return Measurement(metrics, measurement.seconds)

    def _is_its_turn(self) -> bool:
        s = self.settings
        if len(self._known) < s.initial:
            return True
        return bool(s.measure_every) and self._observed % s.measure_every == 0

    def _beats_all(self, architecture: Architecture, prediction: Measurement) -> bool:
        """Tell whether no measured one is at least as good as predicted in every metric."""
        hoped = self._points([prediction.metrics])[0]
        for i, goal in enumerate(self.objective.goals):
            if self.settings.optimism and goal.metric in self._predicted:
                deviation = self._predictors()[goal.metric].predict([architecture])[1][0]
                hoped[i] += self.settings.optimism * deviation
        known = self._points(list(self._known.values()))
        return not bool((known >= hoped).all(1).any())

    def _points(self, metrics: Sequence[dict[str, float]]) -> NDArray[np.float64]:
        """Return a row for each, [n, number of goals], larger for the better."""
        goals = self.objective.goals
        return np.array([[goal.sign * m[goal.metric] for goal in goals] for m in metrics])


def _base_settings(kind: Any, values: dict[str, Any], context: Context) -> Any:
    if kind.Settings is None:
        for name in values:
            raise unknown("setting of evaluator.measure", name, [])
        return None
    task = context.task
    defaults = kind.defaults(task.scale, task.info.kind)
    return fill(kind.Settings, defaults | values, "evaluator.measure")
