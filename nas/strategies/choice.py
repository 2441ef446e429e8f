"""A strategy that was named, before it is made: what it can do, and its settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nas import registry
from nas.errors import NasError
from nas.objective import Objective
from nas.settings import fill_if_any
from nas.strategies.strategy import Strategy
from nas.training import gate_recipe

__all__ = ["StrategyChoice", "choose_strategy"]

EVALUATIONS = {"small": 50, "paper": 1000}
_PARTS = ("relaxation", "solver", "selection")
_SUPERNET_OPTIONS = {"partial_channels": 1, "edge_gates": False}
"""What a supernet has from a strategy's composition, and what it is by default."""


@dataclass(frozen=True)
class StrategyChoice:
    """A registered strategy with the settings that a user gave.

    Args:
        name: As a run records it: `NAME`, or `NAME:VALUE` such as "optuna:tpe".
        factory: A class of black-box strategies, or a preset of the DARTS family: a function from
            a scale to settings.
        given: Setting -> value.
    """

    name: str
    factory: Any
    given: Mapping[str, Any]

    @property
    def is_black_box(self) -> bool:
        """Whether it asks and is told, instead of training gates."""
        return isinstance(self.factory, type) and issubclass(self.factory, Strategy)

    @property
    def trainer(self) -> str:
        """The group of settings of what trains weights: the strategy, or else the evaluator."""
        return "evaluator" if self.is_black_box else "strategy"

    def require_goals(self, objective: Objective) -> None:
        """Refuse several metrics, or limits, where it cannot heed them."""
        if len(objective.goals) > 1 and not getattr(self.factory, "several_objectives", False):
            able = [
                name
                for name, entry in registry.names("strategies").items()
                if getattr(entry.factory, "several_objectives", False)
            ]
            raise NasError(
                f"objective '{objective.text}': '{self.name}' searches for one metric; for several "
                f"there are {', '.join(able)}"
            )
        if objective.limits and not self.is_black_box:
            raise NasError(
                f"limit '{objective.limits[0]}': '{self.name}' trains gates and knows no limits; "
                "take a black-box strategy, such as evolution or rl"
            )

    def budget(self, evaluations: int | None, scale: str) -> int | None:
        """Return how many architectures a black-box strategy may try; None for another."""
        if self.is_black_box:
            return evaluations or EVALUATIONS[scale]
        if evaluations is not None:
            raise NasError(
                f"evaluations={evaluations}: this is the budget of a black-box strategy; "
                f"'{self.name}' trains gates for a number of epochs (--set epochs=...)"
            )
        return None

    def settings(self, scale: str, kind: str, evaluations: int | None = None) -> Any:
        """Return its settings, checked; None where it has none.

        Args:
            scale: "small" or "paper".
            kind: Of the task; what is trained beside gates on nodes of a graph is trained by Adam.
            evaluations: The budget of a black-box strategy; None leaves its usual settings.
        """
        if self.is_black_box:
            usual = {} if evaluations is None else self.factory.defaults(evaluations)
            return fill_if_any(self.factory.Settings, {**usual, **self.given}, "strategy")
        settings = self.factory(scale).changed(self.given)
        if settings.solver != "second-order":  # which is made for SGD
            settings = self.factory(scale).changed({**gate_recipe(kind, scale), **self.given})
        for part in _PARTS:
            registry.get(f"strategies.differentiable.{part}s", getattr(settings, part))
        for name in settings.regularisers:
            registry.get("strategies.differentiable.regularisers", name)
        return settings

    def hint(self, settings: Any, evaluations: int | None) -> str:
        """Say that a budget leaves too little to learn from; empty where it does not.

        Args:
            settings: Of the strategy.
            evaluations: The budget.
        """
        if evaluations is None or not self.is_black_box:
            return ""
        first = self.factory.initial_evaluations(settings)
        if first <= evaluations // 2:
            return ""
        what = "it is random search" if first >= evaluations else "little is left to learn"
        return (
            f"'{self.name}' learns from its first {first} results, and the budget is "
            f"{evaluations}: {what}; give more --evaluations, or see its settings: "
            f"nas strategies {self.name.partition(':')[0]}"
        )

    @staticmethod
    def supernet_options(settings: Any) -> dict[str, Any]:
        """Return the supernet's options that belong to a composition, if not the default."""
        given = {n: getattr(settings, n, usual) for n, usual in _SUPERNET_OPTIONS.items()}
        return {name: value for name, value in given.items() if value != _SUPERNET_OPTIONS[name]}


def choose_strategy(text: str, given: Mapping[str, Any]) -> StrategyChoice:
    """Find a strategy by what a user wrote.

    Args:
        text: `NAME` or `NAME:VALUE`.
        given: Setting -> value; they go before what `text` says.

    Raises:
        NasError: For an unknown name.
    """
    return StrategyChoice(*registry.choose("strategies", text, given))
