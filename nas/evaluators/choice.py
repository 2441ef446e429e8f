"""An evaluator that was named, before it is made: what it measures, and its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from nas import registry
from nas.errors import NasError, unknown
from nas.evaluators.evaluator import COSTS, Context, Evaluator, costs_for
from nas.objective import Limit, Objective
from nas.settings import fill_if_any
from nas.space import SearchSpace
from nas.task import TaskInfo

__all__ = ["EvaluatorChoice", "choose_evaluator"]


@dataclass(frozen=True)
class EvaluatorChoice:
    """A registered evaluator with the settings that a user gave.

    Args:
        name: As a run records it: `NAME`, or `NAME:VALUE` such as "proxy:synflow".
        factory: A class of evaluators.
        given: Setting -> value.
    """

    name: str
    factory: type[Evaluator]
    given: Mapping[str, Any]

    def settings(self, scale: str, kind: str, space: SearchSpace) -> Any:
        """Return its settings, checked; None where it has none.

        Args:
            scale: "small" or "paper".
            kind: Of the task.
            space: What it shall judge.

        Raises:
            NasError: For a wrong setting, or where it cannot judge this space.
        """
        usual = self.factory.defaults(scale, kind)
        settings = fill_if_any(self.factory.Settings, {**usual, **self.given}, "evaluator")
        self.factory.require(space, settings)
        return settings

    def objective(self, settings: Any, text: str | None, limits: tuple[Limit, ...]) -> Objective:
        """Return what is searched for: what was asked for, or what it measures."""
        return Objective(self.factory.objective_for(settings) if text is None else text, limits)

    def refuse_preparation(self, settings: Any, scale: str, kind: str, strategy: str) -> None:
        """Refuse settings of a supernet's training where the strategy trains the supernet."""
        if not self.factory.shares_weights:
            return
        usual = fill_if_any(self.factory.Settings, self.factory.defaults(scale, kind), "evaluator")
        for name in self.factory.prepare_settings:
            if getattr(settings, name) != getattr(usual, name):
                raise NasError(
                    f"evaluator.{name}: '{strategy}' trains the supernet itself; use its own "
                    f"settings (nas strategies {strategy})"
                )

    def costs(self, objective: Objective, space: SearchSpace, info: TaskInfo) -> tuple[str, ...]:
        """Return the costs that an objective and its limits name and it does not measure."""
        measured = self.factory.metrics_for(space, info)
        return tuple(n for n in objective.metrics if n in COSTS and n not in measured)

    def require_metrics(
        self,
        objective: Objective,
        space: SearchSpace,
        info: TaskInfo,
        make: Callable[[], Evaluator],
    ) -> None:
        """Refuse a metric that will not be measured, where that is known beforehand.

        Args:
            objective: With its limits.
            space: What it shall judge.
            info: The shapes of the task.
            make: Makes the evaluator, which may know more than its class.
        """
        measured, hidden = self.factory.metrics_for(space, info), frozenset[str]()
        if not measured:
            made = make()
            measured, hidden = made.metrics, made.hidden_metrics
        measured = tuple(name for name in measured if name not in hidden)
        allowed = (*measured, *(costs_for(info) if self.factory.uses_data else ()))
        for word, names in (
            ("objective", [goal.metric for goal in objective.goals]),
            ("metric of a limit", [limit.metric for limit in objective.limits]),
        ):
            for name in names if measured else ():
                if name in hidden:
                    raise NasError(
                        f"{word} '{name}': it is measured on test data, to be reported of what is "
                        f"found, and a search must not see it; take '{measured[0]}'"
                    )
                if name not in allowed:
                    raise unknown(word, name, allowed)

    def make(self, context: Context, settings: Any) -> Evaluator:
        """Return the evaluator."""
        return self.factory(context, settings)


def choose_evaluator(text: str, given: Mapping[str, Any]) -> EvaluatorChoice:
    """Find an evaluator by what a user wrote.

    Args:
        text: `NAME` or `NAME:VALUE`.
        given: Setting -> value; they go before what `text` says.

    Raises:
        NasError: For an unknown name.
    """
    name, factory, settings = registry.choose("evaluators", text, given)
    return EvaluatorChoice(name, cast("type[Evaluator]", factory), settings)
